"""Has entries settled, again after each fault, and tells source, lease and log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from server_b.group.asked_ahead import AskedAhead
from server_b.group.delivery import Delivery
from server_b.group.entries import EntrySource
from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler, Recorded
from server_b.group.trimmed import tell_trimmed
from server_b.lease import Lease
from server_b.segment.examiner import NEVER_ARRIVED
from shared.endpoint.retry import Retry
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.text import shortened
from shared.verdict import DEFAULT_RETAIN_MS, MAX_OUTAGES, VERIFIED, SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class EntryEndings:
    """Settles entries, again after each fault, and tells source, lease and log."""

    settler: EntrySettler
    source: EntrySource
    lease: Lease
    retry: Retry
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)
    asked: AskedAhead = field(init=False)
    _outages_told: int = field(init=False, default=0)
    recorded: tuple[str, int] = field(init=False, default=("", 0))  # the last run, and how many verdicts it has

    def __post_init__(self) -> None:
        """Make what asks ahead."""
        self.asked = AskedAhead(self.settler.ask)

    def record(self, delivery: Delivery, verdict: SegmentVerdict, *, dead_reason: str = "") -> bool:
        """Record a verdict with its entry's acknowledgement; return whether it stands and completes the run."""
        entry, signal, record = delivery.entry, delivery.signal, delivery.look.record
        if dead_reason:
            self.log.warning("dead letter", entry_id=entry.entry_id, reason=dead_reason)
        self.retry.succeeded()  # ends an outage that began before the look, so that this verdict names it
        outages = self._outages_of(delivery)
        verdict = replace(
            verdict, deliveries=delivery.number, claimed_from=shortened(entry.claimed_from), outages=outages
        )
        retain_ms = record.retain_ms if record else DEFAULT_RETAIN_MS
        about = {"run_id": signal.run_id, "segment": verdict.segment}

        def record_once() -> Recorded:
            return self.settler.record(
                delivery, verdict, retain_ms=retain_ms, dead_reason=dead_reason, asked=self.asked.take(),
                on_conflict=lambda: self.log.info("verdict recorded anew, others had changed the result", **about),
            )  # fmt: skip

        with self.telemetry.settle(verdict.verdict):
            recorded = self.retry.keep_trying(record_once)
        if recorded.is_standing:
            self.telemetry.examined(verdict)
        if dead_reason:
            self.telemetry.dead_letter()
        if recorded.replaced:
            self.log.info("verdict replaced", **about, was=recorded.replaced)
        elif not recorded.is_standing:
            self.log.debug("verdict stands already", **about)
        # with others at the same run, its result would change between the questions and the transaction
        self.asked.is_worth_it = recorded.fields <= self._fields_of(signal) + 1
        self.recorded = (signal.run_id, recorded.fields)
        self._finish(entry, is_progress=dead_reason != NEVER_ARRIVED)
        tell = self.log.debug if verdict.verdict == VERIFIED else self.log.warning
        told = ("segment", "segments", "verdict", "reason")
        tell("segment examined", run_id=signal.run_id, **{name: getattr(verdict, name) for name in told})
        is_complete = recorded.is_standing and recorded.fields >= signal.segments
        if is_complete and self.retry.outages and self.retry.outages[-1].ended_s >= entry.taken_s:
            # the run is looked at once more before it is reported: at the servers that hold its lists now
            self.retry.keep_trying(self.settler.endpoint.refresh)
        return is_complete

    def is_last(self, signal: Signal) -> bool:
        """Return whether the verdict on this segment completes its run, as far as we know."""
        return self._fields_of(signal) + 1 >= signal.segments

    def _fields_of(self, signal: Signal) -> int:
        run_id, fields = self.recorded
        return fields if run_id == signal.run_id else 0

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Make a dead letter of an entry without a verdict."""
        self.log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        with self.telemetry.settle("dead_letter"):
            self.retry.keep_trying(self.settler.dead_letter, entry, reason)
        self.telemetry.dead_letter()
        self._finish(entry)

    def let_go_trimmed(self, entry: Entry) -> None:
        """Acknowledge an entry whose content is not there any more."""
        tell_trimmed(self.log, entries=1, entry_id=entry.entry_id)
        self.acknowledge(entry)

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry; see `EntrySettler.acknowledge`."""
        with self.telemetry.settle("acknowledged"):
            self.settler.acknowledge(entry)
        self._finish(entry)

    def _finish(self, entry: Entry, *, is_progress: bool = True) -> None:
        self.source.forget(entry)
        if is_progress:  # else a run whose lists never come would start `--wait-s` anew with each of them
            self.lease.made_progress()

    def _outages_of(self, delivery: Delivery) -> list[list[int]]:
        """Return the outages while we had an entry, in the server's time, each in one verdict only."""
        untold, self._outages_told = self.retry.outages_since(self._outages_told), self.retry.over_count
        outages = [outage for outage in untold if outage.ended_s >= delivery.entry.taken_s]
        ms_at = delivery.clock.ms_at
        return [[ms_at(outage.began_s), ms_at(outage.ended_s)] for outage in outages[-MAX_OUTAGES:]]
