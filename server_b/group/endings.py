"""How entries end, through outages: recorded, set aside or acknowledged, and the run reported if that completed it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from server_b.entry import Entry
from server_b.group.delivery import Delivery
from server_b.group.entries import EntrySource
from server_b.group.settling import EntrySettler
from server_b.lease import Lease
from server_b.report.once import Reports
from shared.endpoint.retry import Retry
from shared.verdict import MAX_OUTAGES, VERIFIED, SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

DEFAULT_RETAIN_MS = 7 * 24 * 60 * 60 * 1000


class EntryEndings:
    """Brings entries to their end, again after each fault, and tells everybody concerned."""

    def __init__(
        self,
        settler: EntrySettler,
        source: EntrySource,
        *,
        lease: Lease,
        retry: Retry,
        reports: Reports,
        log: FilteringBoundLogger,
    ) -> None:
        """Settle entries that came from a source."""
        self._settler = settler
        self._source = source
        self._lease = lease
        self._retry = retry
        self._reports = reports
        self._log = log
        self._outages_told = 0

    def record(self, delivery: Delivery, verdict: SegmentVerdict, *, dead_reason: str = "") -> None:
        """Record a verdict with the entry's acknowledgement, and report the run if that completed it.

        Args:
            delivery: What announced the segment.
            verdict: On the segment.
            dead_reason: Why the entry is a dead letter too; empty when it is none.
        """
        entry, signal, record = delivery.entry, delivery.signal, delivery.look.record
        self._retry.succeeded()  # the look was answered: an outage before it is over, and is named
        outages = self._outages_of(delivery)
        verdict = replace(verdict, deliveries=delivery.number, claimed_from=entry.claimed_from, outages=outages)
        recorded = self._retry.keep_trying(
            self._settler.record,
            entry,
            signal.run_id,
            verdict,
            retain_ms=record.retain_ms if record else DEFAULT_RETAIN_MS,
            dead_reason=dead_reason,
        )
        self._finish(entry)
        tell = self._log.debug if verdict.verdict == VERIFIED else self._log.warning
        tell(
            "segment examined",
            run_id=signal.run_id,
            segment=signal.segment,
            segments=signal.segments,
            verdict=verdict.verdict,
            reason=verdict.reason,
        )
        if recorded.is_written and recorded.fields >= signal.segments:
            self._reports.report_if_complete(signal.run_id)

    def dead_letter(self, entry: Entry, reason: str) -> None:
        """Set aside an entry that can't be processed."""
        self._log.warning("dead letter", entry_id=entry.entry_id, reason=reason)
        self._retry.keep_trying(self._settler.dead_letter, entry, reason)
        self._finish(entry)

    def acknowledge(self, entry: Entry) -> None:
        """Acknowledge an entry that needs no verdict of ours."""
        self._settler.acknowledge(entry)
        self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        self._source.forget(entry)
        self._lease.made_progress()

    def _outages_of(self, delivery: Delivery) -> list[list[int]]:
        """Return the outages while we had an entry, in the server's time; our verdicts name each outage once."""
        untold = self._retry.outages[self._outages_told :]
        self._outages_told += len(untold)
        outages = [outage for outage in untold if outage.ended_s >= delivery.entry.taken_s]
        clock = delivery.clock
        return [[clock.ms_at(o.began_s), clock.ms_at(o.ended_s)] for o in outages[-MAX_OUTAGES:]]
