"""From a signal to a verdict: wait for the list, read it in reverse, verify it."""

from __future__ import annotations

import codecs
import time

from server_b.lease import Lease
from server_b.segment.chunks import chunks_by_block
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.segment.reader import Opening, SegmentReader
from server_b.segment.verifier import SegmentVerifier
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import SegmentChangedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

MAX_READINGS = 5
FIRST_POLL_S = 0.005
LONGEST_POLL_S = 0.25
SHOWN_BYTES = 200
NEVER_ARRIVED = "never arrived"
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class StillMissingError(Exception):
    """The list that a signal announced has not come yet."""


class SegmentExaminer:
    """Examines the segments of signals, one at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        *,
        consumer: str,
        keep: int,
        lease: Lease,
        retry: Retry,
        progress: RunProgress,
    ) -> None:
        """Use an endpoint.

        Args:
            endpoint: Where to read.
            keys: The namespace.
            consumer: Our name, for the verdict.
            keep: How many of a run's first values to keep.
            lease: Waits for lists, and is renewed between chunks; it ends an examination.
            retry: Hears of each successful reply.
            progress: Counts the values read.
        """
        self._endpoint = endpoint
        self._keys = keys
        self._consumer = consumer
        self._keep = keep
        self._lease = lease
        self._retry = retry
        self._progress = progress

    def examine(self, signal: Signal, look: SegmentLook, *, lag_ms: int, settle_s: float) -> SegmentVerdict | None:
        """Return the verdict on a signal's segment; None when a later attempt of the same run has replaced it.

        Args:
            signal: What announced it.
            look: What is known of the segment already.
            lag_ms: How long the signal took.
            settle_s: Seconds to wait for the list.

        Raises:
            StillMissingError: The list did not come in time.
            GivenBack: The lease ended.
            WaitedTooLong: The time of `--wait-s` is over.
            TransientError: The connection is lost; examine it again.
            WrongKeyError: Somebody else's key is in the way.
        """
        state = look.state
        for _ in range(MAX_READINGS):
            later = self._settle(signal, state, settle_s)
            if later is not None:
                if later.run_id == signal.run_id:
                    return None  # the later attempt has a signal of its own
                return self._verdict(signal, SUPERSEDED, f"by run {later.run_id}", look, lag_ms)
            try:
                return self._read(signal, look, lag_ms)
            except SegmentChangedError:
                state = None  # the next look says whether it was replaced or only touched
        key = self._keys.segment(signal.segment)
        return self._verdict(signal, FAILED, f"{key} kept changing while it was read", look, lag_ms)

    def given_up(self, signal: Signal, look: SegmentLook, reason: str, *, lag_ms: int) -> SegmentVerdict:
        """Return the verdict on a signal that could not be examined."""
        return self._verdict(signal, FAILED, reason, look, lag_ms)

    def _settle(self, signal: Signal, state: SegmentState | None, settle_s: float) -> SegmentState | None:
        """Wait until the state names the signal's run and attempt; return it if it names later ones.

        Redis:
            HMGET of the state, at growing intervals.
        """
        mine = (signal.run_id, signal.attempt)
        state_key = self._keys.state(self._keys.segment(signal.segment))
        give_up_at, pause_s = time.monotonic() + settle_s, FIRST_POLL_S
        while True:
            if state is None:
                raw = self._endpoint.at(state_key).hmget(state_key, list(SegmentState.FIELDS))
                state = SegmentState.decode(state_key, raw)
                self._retry.succeeded()
            if state is not None and (state.run_id, state.attempt) >= mine:
                return state if (state.run_id, state.attempt) > mine else None
            if time.monotonic() >= give_up_at:
                raise StillMissingError
            self._lease.pause(min(pause_s, max(0.0, give_up_at - time.monotonic())))
            state, pause_s = None, min(LONGEST_POLL_S, pause_s * 2)

    def _read(self, signal: Signal, look: SegmentLook, lag_ms: int) -> SegmentVerdict:
        """Read and verify the segment once."""
        key = self._keys.segment(signal.segment)
        verifier = SegmentVerifier(count=signal.count, digest=signal.digest)
        reader = SegmentReader(
            self._endpoint, self._keys, key, expected=(signal.run_id.encode(), signal.attempt.encode())
        )
        try:
            chunks = chunks_by_block(signal.count, chunk_values=look.size.values)
            opening = reader.open(chunks, together=look.size.together, first=look.kept_values(signal, self._keep))
            reason = self._read_through(reader, opening, verifier, signal)
            ended_us = self._endpoint.server_us(key) if reason else reader.require_untouched(signal.count)
        finally:
            reader.close()
        verdict = FAILED if reason else VERIFIED
        return self._verdict(signal, verdict, reason, look, lag_ms, opening=opening, ended_us=ended_us)

    def _read_through(self, reader: SegmentReader, opening: Opening, verifier: SegmentVerifier, signal: Signal) -> str:
        """Return what is wrong with the list, or an empty text."""
        if opening.length != signal.count:
            kind = "long" if opening.length > signal.count else "short"
            return f"{kind}: {opening.length} values where {signal.count} were announced"
        for chunk, values in reader.read():
            if wrong := verifier.add(chunk, values):
                return wrong
            self._progress.add(chunk.values)
            self._retry.succeeded()
            self._lease.tick()
        return verifier.verdict()

    def _verdict(
        self,
        signal: Signal,
        verdict: str,
        reason: str,
        look: SegmentLook,
        lag_ms: int,
        *,
        opening: Opening | None = None,
        ended_us: int = 0,
    ) -> SegmentVerdict:
        is_first = opening is not None and signal.segment == 1 and opening.last is not None
        return SegmentVerdict(
            verdict=verdict,
            attempt=signal.attempt,
            segment=signal.segment,
            segments=signal.segments,
            count=signal.count,
            digest=signal.digest,
            reason=reason,
            first=[as_text(value) for value in opening.first] if opening else [],
            last=as_text(opening.last or b"") if opening and is_first else None,
            lag_ms=lag_ms,
            started_us=opening.started_us if opening else 0,
            ended_us=ended_us,
            consumer=self._consumer,
            taken_ms=look.taken_ms,
        )


def as_text(value: bytes) -> str:
    """Return a value as JSON and people see it: its first 200 bytes; what is not UTF-8 becomes backslash escapes."""
    is_whole = len(value) <= SHOWN_BYTES
    text = _Utf8Decoder("backslashreplace").decode(value[:SHOWN_BYTES], final=is_whole)  # drops half a character
    return text if is_whole else f"{text}… ({len(value):,} bytes)"
