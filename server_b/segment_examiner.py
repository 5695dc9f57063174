"""From a signal to a verdict: wait for the list, read it in reverse, verify it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from server_b.chunks import ChunkSize, chunk_size, chunks_by_block
from server_b.reader import SegmentReader
from server_b.verifier import SegmentVerifier
from shared.endpoint.client import Endpoint
from shared.errors import InvalidInputError, SegmentChangedError
from shared.keys import Keyspace
from shared.run_signal import RunRecord, SegmentState, Signal, chunk_field
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

MAX_READINGS = 5
FIRST_POLL_S = 0.005
LONGEST_POLL_S = 0.25
NEVER_ARRIVED = "never arrived"


class StillMissingError(Exception):
    """The list that a signal announced has not come yet."""


@dataclass(frozen=True)
class Settlement:
    """What the state says of a signal's segment: that it is there, or by what it was superseded."""

    is_ready: bool
    superseded_by: SegmentState | None = None


class SegmentExaminer:
    """Examines the segments of signals, one at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        *,
        consumer: str,
        keep: int,
        pause: Callable[[float], None],
        tick: Callable[[], None],
        on_values: Callable[[int], None],
    ) -> None:
        """Use an endpoint.

        Args:
            endpoint: Where to read.
            keys: The namespace.
            consumer: Our name, for the verdict.
            keep: How many of a run's first values to keep.
            pause: Waits so many seconds; may raise to end the examination.
            tick: Called between chunks; renews claims, and may raise to end the examination.
            on_values: Called with the values of each chunk.
        """
        self._endpoint = endpoint
        self._keys = keys
        self._consumer = consumer
        self._keep = keep
        self._pause = pause
        self._tick = tick
        self._on_values = on_values

    def examine(self, signal: Signal, *, lag_ms: int, settle_s: float) -> SegmentVerdict | None:
        """Return the verdict on a signal's segment; None when a later attempt of the same run has replaced it.

        Raises:
            StillMissingError: The list did not come within `settle_s` seconds.
            ConnectionLostError: The connection is lost; examine it again.
        """
        key = self._keys.segment(signal.segment)
        for _ in range(MAX_READINGS):
            settlement = self._settle(signal, key, settle_s)
            if settlement.superseded_by is not None:
                return self._superseded(signal, settlement.superseded_by, lag_ms)
            try:
                return self._read(signal, key, lag_ms)
            except SegmentChangedError:
                continue  # the state says whether it was replaced or only touched
        return self._verdict(signal, FAILED, f"{key} kept changing while it was read", lag_ms)

    def _settle(self, signal: Signal, key: str, settle_s: float) -> Settlement:
        """Wait until the state names the signal's run and attempt, or a later one."""
        mine = (signal.run_id, signal.attempt)
        waited_s, pause_s = 0.0, FIRST_POLL_S
        with self._endpoint.wire(key) as wire:
            while True:
                state_key = self._keys.state(key)
                state = SegmentState.decode(state_key, wire.call("HMGET", state_key, *SegmentState.FIELDS))
                if state is not None and (state.run_id, state.attempt) > mine:
                    return Settlement(is_ready=False, superseded_by=state)
                if state is not None and (state.run_id, state.attempt) == mine:
                    return Settlement(is_ready=True)
                if waited_s >= settle_s:
                    raise StillMissingError
                self._pause(pause_s)
                waited_s += pause_s
                pause_s = min(LONGEST_POLL_S, pause_s * 2)

    def _superseded(self, signal: Signal, by: SegmentState, lag_ms: int) -> SegmentVerdict | None:
        if by.run_id == signal.run_id:
            return None  # the later attempt has a signal of its own
        return self._verdict(signal, SUPERSEDED, f"by run {by.run_id}", lag_ms)

    def _read(self, signal: Signal, key: str, lag_ms: int) -> SegmentVerdict:
        """Read and verify the segment once."""
        record, size = self._record(signal)
        verifier = SegmentVerifier(count=signal.count, digest=signal.digest, keep=self._kept_values(signal, record))
        expected = (signal.run_id.encode(), signal.attempt.encode())
        reader = SegmentReader(self._endpoint, self._keys, key, expected=expected)
        try:
            started_us = self._endpoint.server_us(key)
            reason = self._read_through(reader, verifier, signal, size)
        finally:
            reader.close()
        return self._verdict(
            signal,
            FAILED if reason else VERIFIED,
            reason,
            lag_ms,
            verifier=verifier,
            started_us=started_us,
            ended_us=self._endpoint.server_us(key),
        )

    def _read_through(self, reader: SegmentReader, verifier: SegmentVerifier, signal: Signal, size: ChunkSize) -> str:
        """Return what is wrong with the list, or an empty text."""
        length = reader.length()
        if length != signal.count:
            return (
                f"{'long' if length > signal.count else 'short'}: {length} values where {signal.count} were announced"
            )
        for chunk, values in reader.read(
            chunks_by_block(signal.count, chunk_values=size.values), together=size.together
        ):
            if wrong := verifier.add(chunk, values):
                return wrong
            self._on_values(chunk.values)
            self._tick()
        wrong = verifier.verdict()
        if not wrong:
            reader.require_untouched(signal.count)
        return wrong

    def _record(self, signal: Signal) -> tuple[RunRecord | None, ChunkSize]:
        """Return the run's record, if it is here, and how the signal's segment is read.

        Redis:
            HGETALL is avoided, since a run has a field for each segment; HMGET, O(1).
        """
        key = self._keys.run(signal.run_id)
        names = ("schema_version", "run_id", "source", *RunRecord.NUMBERS, chunk_field(signal.segment))
        with self._endpoint.wire(key) as wire:
            values = wire.call("HMGET", key, *names)
        fields = {name.encode(): value for name, value in zip(names, values, strict=True) if value is not None}
        try:
            record = RunRecord.decode(key, fields)
        except InvalidInputError:
            return None, chunk_size(None, None)
        return record, chunk_size(fields.get(b"max_value_bytes"), fields.get(chunk_field(signal.segment).encode()))

    def _kept_values(self, signal: Signal, record: RunRecord | None) -> int:
        """Return how many of the run's first values may lie in this segment."""
        if record is None:
            return self._keep
        behind = max(0, record.count - signal.segment * record.segment_values)
        return max(0, self._keep - behind)

    def _verdict(
        self,
        signal: Signal,
        verdict: str,
        reason: str,
        lag_ms: int,
        *,
        verifier: SegmentVerifier | None = None,
        started_us: int = 0,
        ended_us: int = 0,
    ) -> SegmentVerdict:
        return SegmentVerdict(
            verdict=verdict,
            attempt=signal.attempt,
            segment=signal.segment,
            segments=signal.segments,
            count=signal.count,
            digest=signal.digest,
            reason=reason,
            first=[as_text(value) for value in verifier.first] if verifier else [],
            last=as_text(verifier.last) if verifier and signal.segment == 1 and verifier.values else None,
            lag_ms=lag_ms,
            started_us=started_us,
            ended_us=ended_us,
            consumer=self._consumer,
        )

    def given_up(self, signal: Signal, reason: str, *, lag_ms: int) -> SegmentVerdict:
        """Return the verdict on a signal that could not be examined."""
        return self._verdict(signal, FAILED, reason, lag_ms)


def as_text(value: bytes) -> str:
    """Return a value as JSON and people see it; bytes that are not UTF-8 become backslash escapes."""
    return value.decode("utf-8", "backslashreplace")
