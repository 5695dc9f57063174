"""Examines a follower's segments; those whose lists have not come wait here, and others are examined meanwhile.

No group delivers an entry again, so a list that lags is looked for here for as long as a group would deliver its entry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from server_b.segment.arrivals import Arrivals
from server_b.segment.examiner import SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.entry_ids import order_of
from shared.errors import LongReplyError, WrongKeyError
from shared.keys import Keyspace
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.verdict import SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Announced(NamedTuple):
    """A signal and where it was in the stream."""

    signal: Signal
    entry_id: str
    before: str  # id of the entry before it: what is read from there on brings it again


class Outcome(NamedTuple):
    """What came of a signal."""

    verdict: SegmentVerdict | None = None  # None where it brought nothing new, or not yet
    has_come: bool = True  # False while its list is missing, and when it never came


@dataclass
class PatientExaminer:
    """Brings signals to their verdicts."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)
    _waiting: dict[Signal, Announced] = field(init=False, default_factory=dict)
    _until: dict[Signal, float] = field(init=False, default_factory=dict)
    _ready: list[Signal] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._arrivals = Arrivals(self.endpoint, self.keys)

    def examine(self, found: Announced, known: SegmentVerdict | None) -> Outcome:
        """Examine a segment; where its list is missing, the signal waits here until it comes or its time is over."""
        sent_by, now_s = found.signal.traceparent.encode(), time.monotonic()
        with self.telemetry.process(found.entry_id, sent_by, delivered_s=now_s):
            return self._examine_told(found, known)

    def _examine_told(self, found: Announced, known: SegmentVerdict | None) -> Outcome:
        signal = found.signal
        self.telemetry.decoded(signal, deliveries=1)
        try:
            look = SegmentLook.read(self.endpoint, self.keys, signal, found.entry_id)
        except LongReplyError as error:  # somebody else's values under the names of its run or segment
            self.log.warning("entry skipped", entry_id=found.entry_id, run_id=signal.run_id, reason=str(error))
            self.forget(signal)
            return Outcome()
        has_come = True
        try:
            verdict = self._examine(found, look)
        except StillMissingError:
            if self._is_to_wait(found):
                return Outcome(has_come=False)
            has_come, verdict = False, self.examiner.never_arrived(signal, look)
        self.forget(signal)
        if verdict is not None:
            self.progress.examined(signal, verdict)
        is_new = verdict is not None and (known is None or verdict.replaces(known, look.state, look.record))
        if verdict is not None and is_new:
            self.telemetry.examined(verdict)
        return Outcome(verdict if is_new else None, has_come)

    def _examine(self, found: Announced, look: SegmentLook) -> SegmentVerdict | None:
        signal = found.signal
        if look.contradiction:
            self.log.warning("entry skipped", entry_id=found.entry_id, reason=look.contradiction)
            return None
        if look.obstacle:
            return self.examiner.given_up(signal, look, look.obstacle)
        self.progress.begin(signal, look.record)
        try:
            return self.examiner.examine(signal, look)
        except WrongKeyError as error:
            return self.examiner.given_up(signal, look, str(error))

    def _is_to_wait(self, found: Announced) -> bool:
        now, is_first = time.monotonic(), found.signal not in self._until
        patience_s = self.settings.settle_s * self.settings.max_deliveries
        if now >= self._until.setdefault(found.signal, now + patience_s):
            return False
        if is_first:
            told = {"run_id": found.signal.run_id, "segment": found.signal.segment}
            self.log.info("list not there yet, taking others meanwhile", **told)
        self._waiting[found.signal] = found
        self._ready = [signal for signal in self._ready if signal != found.signal]
        self._arrivals.begin()
        return True

    def block_ms(self, most: int) -> int:
        """Return for how long the next entry may be waited for before it is time to look for missing lists."""
        return min(most, self._arrivals.due_ms()) if self._waiting else most

    def ready(self) -> Announced | None:
        """Return a signal whose list has come or whose time is over, if it is time to look and there is one.

        It is returned again until it was examined or forgotten. Redis: HMGET of each state, in one round trip.
        """
        if not self._ready and self._waiting and self._arrivals.is_due:
            has_come, now = self._arrivals.look(list(self._waiting)), time.monotonic()
            waiting = zip(self._waiting, has_come, strict=True)
            self._ready = [signal for signal, is_there in waiting if is_there or now >= self._until[signal]]
        return self._waiting[self._ready[0]] if self._ready else None

    def checkpoint_before(self, cursor: str) -> str:
        """Return the last id, at most the one given, that leaves no signal that waits here behind."""
        return min([cursor, *(found.before for found in self._waiting.values())], key=order_of)

    def forget(self, signal: Signal) -> None:
        """Wait no more for the list of a signal."""
        self._waiting.pop(signal, None)
        self._until.pop(signal, None)
        self._ready = [other for other in self._ready if other != signal]

    def forget_all(self) -> None:
        """Wait for no list any more: the stream is read anew."""
        for signal in list(self._until):
            self.forget(signal)
