"""What is known of a segment before it is read: the server's clock, the segment's state, and the record of its run.

The record is read with HMGET: its hash has fields for each segment, 100,000 of them at most, which HGETALL would send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from server_b.segment.chunks import ChunkSize, chunk_size
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.together import Together
from shared.errors import HandoverError, InvalidInputError, LongReplyError, WrongKeyError
from shared.keys import Keyspace
from shared.record import RunRecord, chunk_field
from shared.segments import MAX_VALUE_BYTES
from shared.signal import Signal
from shared.state import SegmentState
from shared.tokens import is_too_late

MAX_KEPT_BYTES = 16 * 1024 * 1024
RECORD_FIELDS = list(RunRecord.FIELDS)


@dataclass(frozen=True)
class SegmentLook:
    """One look at a signal's segment."""

    taken_ms: int  # the server's clock, milliseconds since 1970
    state: SegmentState | None
    record: RunRecord | None  # None where it is not here, or not ours
    size: ChunkSize
    obstacle: str = ""  # which key, not ours, keeps us from reading the segment; empty when none does
    contradiction: str = ""  # why the signal is not believed, mostly since the record says otherwise; else empty
    lag_ms: int = 0  # how long the signal took to reach us, by the server's clock

    def without_record(self) -> SegmentLook:
        """Return what is known when the record is not believed."""
        return replace(self, record=None, size=chunk_size(None))

    @classmethod
    def read(cls, endpoint: Endpoint, keys: Keyspace, signal: Signal, entry_id: str) -> SegmentLook:
        """Ask and decode in one go; see `ask` and `decode`."""
        asked = Together(endpoint)
        cls.ask(asked, keys, signal)
        return cls.decode(keys, signal, entry_id, asked.send(raise_on_error=False))

    @staticmethod
    def ask(asked: Together, keys: Keyspace, signal: Signal) -> None:
        """Add the three questions whose replies `decode` takes. Redis: TIME; HMGET of state and record; O(1)."""
        state_key, run_key = keys.state(keys.segment(signal.segment)), keys.run(signal.run_id)
        asked.at(keys.signals()).time()
        asked.at(state_key).hmget(state_key, SegmentState.FIELDS)
        asked.at(run_key).hmget(run_key, [*RECORD_FIELDS, chunk_field(signal.segment)])

    @classmethod
    def decode(cls, keys: Keyspace, signal: Signal, entry_id: str, replies: list[Any]) -> SegmentLook:
        """Return what the three replies say; an error among them is raised unless it is an obstacle."""
        now, *found_here = replies
        if isinstance(now, HandoverError):
            raise now
        for reply in found_here:
            if isinstance(reply, HandoverError) and not isinstance(reply, WrongKeyError):
                raise reply
        values = replies[2]
        taken_ms = microseconds(now) // 1_000
        lag_ms = max(0, taken_ms - int(entry_id.partition("-")[0]))
        try:
            found, record = _decoded(keys, signal, found_here, taken_ms)
        except WrongKeyError as error:
            return cls(taken_ms, None, None, chunk_size(None), str(error), lag_ms=lag_ms)
        size = chunk_size(record, values[-1])
        said = {"segments": signal.segments, "count": signal.count}
        contradiction = record.contradicts(signal.segment, **said) if record is not None else ""
        if is_too_late(signal.run_id, taken_ms):
            contradiction = f"its signal names run {signal.run_id}, which is far ahead of the server's clock"
        return cls(taken_ms, found, record, size, lag_ms=lag_ms, contradiction=contradiction)

    def kept_values(self, signal: Signal, keep: int) -> int:
        """Return how many of the run's first `keep` values may lie in this segment; of large ones at most 16 MiB.

        The limit is the run's, not each segment's: otherwise values between those shown would be missing.
        """
        longest = self.record.max_value_bytes if self.record is not None else MAX_VALUE_BYTES
        keep = min(keep, max(1, MAX_KEPT_BYTES // max(1, longest)))
        if self.record is None:
            return keep
        behind = max(0, self.record.count - signal.segment * self.record.segment_values)
        return max(0, keep - behind)


def _decoded(
    keys: Keyspace, signal: Signal, replies: list[Any], taken_ms: int
) -> tuple[SegmentState | None, RunRecord | None]:
    for reply in replies:
        if isinstance(reply, WrongKeyError):
            raise reply
    state, values = replies
    found = SegmentState.decode(keys.state(keys.segment(signal.segment)), state, server_ms=taken_ms)
    return found, decode_record(keys.run(signal.run_id), values[:-1], run_id=signal.run_id)


def read_record(endpoint: Endpoint, keys: Keyspace, run_id: str) -> RunRecord | None:
    """Return a run's record; None where it is not here, or not ours. Redis: HMGET; O(1)."""
    key = keys.run(run_id)
    try:
        return decode_record(key, endpoint.at(key).hmget(key, RECORD_FIELDS), run_id=run_id)
    except (LongReplyError, WrongKeyError):
        return None


def decode_record(key: str, values: Sequence[Any], *, run_id: str) -> RunRecord | None:
    """Return a run's record from the reply to HMGET of `RECORD_FIELDS`; None when it is none of ours, or another's."""
    found = {name.encode(): value for name, value in zip(RECORD_FIELDS, values, strict=True) if value is not None}
    try:
        record = RunRecord.decode(key, found)
    except InvalidInputError:
        return None
    return record if record.run_id == run_id else None
