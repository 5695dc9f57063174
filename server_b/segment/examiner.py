"""From a signal to a verdict: read the list in reverse, verify it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from server_b.lease import Lease
from server_b.segment.chunks import chunks_by_block
from server_b.segment.listing import STEADY_BYTES
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.segment.reader import SegmentReader
from server_b.segment.reading import Reading
from server_b.segment.second_reading import SecondReading
from server_b.segment.telling import ReadingTeller
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import read_state
from shared.endpoint.retry import Retry
from shared.errors import LongReplyError, SegmentChangedError
from shared.keys import Keyspace
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.state import SegmentState
from shared.text import cut_text
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from shared.witness import KIND_KEPT_CHANGING, KIND_NEVER_ARRIVED, Witness

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_READINGS = 5
POLL_S = 0.02
NEVER_ARRIVED = "never arrived"


class StillMissingError(Exception):
    """The list that a signal announced has not come yet."""


@dataclass
class SegmentExaminer:
    """Examines the segments of signals, one at a time."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    lease: Lease
    retry: Retry
    progress: RunProgress
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)
    teller: ReadingTeller | None = None

    def __post_init__(self) -> None:
        """Make what reads a wrong list again."""
        self._second = SecondReading(self.endpoint, self.keys, self.lease, self.retry)

    def watch(self, signal: Signal) -> SegmentReader:
        """Begin to watch a signal's segment, before it is looked at: what that saves is a round trip.

        Redis: WATCH, whose reply is not waited for.
        """
        expected = (signal.run_id.encode(), signal.attempt.encode())
        return SegmentReader(self.endpoint, self.keys, self.keys.segment(signal.segment), expected=expected)

    def begin(
        self, signal: Signal, look: SegmentLook, reader: SegmentReader, *, behind: Reading | None = None
    ) -> Reading | None:
        """Begin to read a segment that is watched, `behind` another reading or at once; None unless it is as announced.

        The reader is the reading's from now on, and closed with it. Whoever gets a reading gives it to `examine` or
        closes it.
        """
        announced = (signal.run_id, signal.attempt)
        if look.state is not None and (look.state.run_id, look.state.attempt) == announced:
            return self._begin(signal, look, reader, behind)
        reader.close()
        return None

    def follow(self, reading: Reading, *, to_end: bool) -> None:
        """Wait until a reading has ended, or only until nearly all of its values were asked for.

        Raises GivenBack if another consumer claimed the entry, or the reading takes too long after a stop request.
        """
        has_come = reading.has_ended if to_end else reading.is_nearly_asked
        is_over = False
        with self._uncounted_at_fault(reading):
            while not is_over:
                is_over = has_come(POLL_S)
                self.lease.keep_name()
                reading.keep_alive()
                self.progress.add(values := reading.new_values())
                if values:  # else nothing is due: a reading that hangs must not keep its lease
                    self.retry.succeeded()
                    self.lease.tick()
                if self.teller is not None:
                    self.teller.tell(reading)

    def examine(self, signal: Signal, look: SegmentLook, begun: Reading | None = None) -> SegmentVerdict | None:
        """Return the verdict on a signal's segment; None when a later attempt of the same run has replaced it.

        A reading that `begin` has begun is the first that counts, and is closed.

        Raises:
            StillMissingError: The list has not come yet; it is the caller's to look again.
            GivenBack: A stop was requested, or another consumer claimed the entry.
            WrongKeyError: A key that is not ours is in the way.
        """
        state = look.state
        for _ in range(MAX_READINGS):
            if begun is None:
                later = self._later(signal, state, look.taken_ms)
                if later is not None:
                    if later.run_id == signal.run_id:
                        return None  # the later attempt has a signal of its own
                    return self._verdict(signal, look, SUPERSEDED, f"by run {later.run_id}")
            try:
                with closing(begun or self._begin(signal, look, self.watch(signal))) as reading:
                    return self._finish(signal, look, reading)
            except SegmentChangedError:
                self.log.info("list changed while it was read", run_id=signal.run_id, segment=signal.segment)
                begun = state = None  # ask again: the new state says whether the list was replaced or only touched
            except LongReplyError as error:
                if look.record is None:
                    return self.given_up(signal, look, f"values longer than any that a run writes: {error.got}")
                begun, look = None, look.without_record()  # which says that the values are shorter
        kept_changing = f"{self.keys.segment(signal.segment)} kept changing while it was read"
        return replace(self.given_up(signal, look, kept_changing), witness=Witness(KIND_KEPT_CHANGING, signal.segment))

    def given_up(self, signal: Signal, look: SegmentLook, reason: str) -> SegmentVerdict:
        """Return the verdict on a signal that can't be examined."""
        return self._verdict(signal, look, FAILED, reason)

    def never_arrived(self, signal: Signal, look: SegmentLook) -> SegmentVerdict:
        """Return the verdict on a signal whose list never came."""
        return replace(self.given_up(signal, look, NEVER_ARRIVED), witness=Witness(KIND_NEVER_ARRIVED, signal.segment))

    def _later(self, signal: Signal, state: SegmentState | None, taken_ms: int) -> SegmentState | None:
        """Return the state if it names a later run or attempt than the signal; StillMissingError if an earlier one."""
        if state is None:
            key = self.keys.segment(signal.segment)
            state = read_state(self.endpoint, self.keys, key, server_ms=taken_ms)
            self.retry.succeeded()
        announced = (signal.run_id, signal.attempt)
        if state is None or (state.run_id, state.attempt) < announced:
            raise StillMissingError
        return state if (state.run_id, state.attempt) > announced else None

    def _begin(
        self, signal: Signal, look: SegmentLook, reader: SegmentReader, behind: Reading | None = None
    ) -> Reading:
        try:
            size = look.size.within(min(reader.most, STEADY_BYTES))
            chunks = chunks_by_block(signal.count, chunk_values=size.values)
            first = look.kept_values(signal, self.settings.kept_values)
            reader.ask(chunks, count=signal.count, size=size, first=first)
        except BaseException:
            reader.close()
            raise
        return Reading(reader, signal, behind=behind)

    def _finish(self, signal: Signal, look: SegmentLook, reading: Reading) -> SegmentVerdict:
        self.follow(reading, to_end=True)
        with self._uncounted_at_fault(reading):
            wrong, opening = reading.result(), reading.opening
            key = self.keys.segment(signal.segment)
            ended_us = self.endpoint.server_us(key) if wrong else reading.require_untouched()
            witness = self._second.witness(signal, look, reading) if wrong else None
        self.progress.add_times(signal.run_id, reading.times)
        self.telemetry.read(values=reading.values, value_bytes=reading.value_bytes)
        last = opening.last if signal.segment == 1 else None
        return replace(
            self._verdict(signal, look, FAILED if wrong else VERIFIED, wrong),
            first=[cut_text(value) for value in opening.first],
            last=cut_text(last) if last is not None else None,
            started_us=opening.started_us,
            ended_us=max(opening.started_us, ended_us),  # after a failover the clock may be another's
            witness=witness,
        )

    @contextmanager
    def _uncounted_at_fault(self, reading: Reading) -> Iterator[None]:
        """Take what was read of a segment off the progress bar if the block fails: it is read again."""
        try:
            yield
        except BaseException:
            self.progress.add(-reading.take_back())
            raise

    def _verdict(self, signal: Signal, look: SegmentLook, verdict: str, reason: str) -> SegmentVerdict:
        return SegmentVerdict(
            verdict=verdict,
            attempt=signal.attempt,
            segment=signal.segment,
            segments=signal.segments,
            count=signal.count,
            digest=signal.digest,
            reason=reason,
            lag_ms=look.lag_ms,
            consumer=self.settings.consumer,
            taken_ms=look.taken_ms,
        )
