"""What is known of a segment before it is read: the server's clock, its state, and what the run was to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server_b.segment.chunks import ChunkSize, chunk_size
from server_b.segment.run_records import RECORD_FIELDS, decode_record, named_fields
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.together import Together
from shared.errors import HandoverError
from shared.keys import Keyspace
from shared.record import RunRecord, chunk_field
from shared.segments import MAX_VALUE_BYTES
from shared.signal import Signal
from shared.state import SegmentState

MAX_KEPT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class SegmentLook:
    """One look at a signal's segment.

    Attributes:
        taken_ms: The server's clock, milliseconds since 1970.
        state: What is published under the segment's name.
        record: The run's record; None where it is not here, or not ours.
        size: How the segment is read.
    """

    taken_ms: int
    state: SegmentState | None
    record: RunRecord | None
    size: ChunkSize

    QUESTIONS = 3

    @staticmethod
    def ask(asked: Together, keys: Keyspace, signal: Signal) -> None:
        """Ask for all of it; see `decode`.

        Redis:
            TIME; HMGET of state and record; HGETALL is avoided, since a run has a field for each segment. O(1).
        """
        state_key, run_key = keys.state(keys.segment(signal.segment)), keys.run(signal.run_id)
        asked.at(keys.signals()).time()
        asked.at(state_key).hmget(state_key, list(SegmentState.FIELDS))
        asked.at(run_key).hmget(run_key, [*RECORD_FIELDS, chunk_field(signal.segment)])

    @classmethod
    def decode(cls, keys: Keyspace, signal: Signal, replies: list[Any]) -> SegmentLook:
        """Return what the three replies say.

        Raises:
            HandoverError: One of them is an error.
        """
        for reply in replies:
            if isinstance(reply, HandoverError):
                raise reply
        now, state, values = replies
        fields = named_fields((*RECORD_FIELDS, chunk_field(signal.segment)), values)
        record = decode_record(keys.run(signal.run_id), fields)
        size = chunk_size(None, None)
        if record is not None:
            size = chunk_size(fields.get(b"max_value_bytes"), fields.get(chunk_field(signal.segment).encode()))
        return cls(
            microseconds(now) // 1_000,
            SegmentState.decode(keys.state(keys.segment(signal.segment)), state),
            record,
            size,
        )

    @classmethod
    def blind(cls, endpoint: Endpoint, keys: Keyspace) -> SegmentLook:
        """Return a look at nothing but the clock, where somebody else's keys are in the way.

        Redis:
            TIME; O(1).
        """
        return cls(endpoint.server_ms(keys.signals()), None, None, chunk_size(None, None))

    def kept_values(self, signal: Signal, keep: int) -> int:
        """Return how many of a run's first values, of so many, may lie in this segment.

        Where values are large fewer are kept, at most 16 MiB: fewer of the run, since fewer of each segment would leave
        gaps.
        """
        longest = self.record.max_value_bytes if self.record is not None else MAX_VALUE_BYTES
        keep = min(keep, max(1, MAX_KEPT_BYTES // max(1, longest)))
        if self.record is None:
            return keep
        behind = max(0, self.record.count - signal.segment * self.record.segment_values)
        return max(0, keep - behind)
