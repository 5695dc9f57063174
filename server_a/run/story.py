"""The producer's story: read `Story.run` first.

The one place where the actors of a run are made. Whatever may be repeated goes through `Retry`; what may not, an
attempt at a segment, is begun anew (`SegmentProducer`). So a lost connection needs no recovery code of its own.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from server_a.run.announce import Announcer
from server_a.run.audit import AuditFindings, audit
from server_a.run.commands import with_resume_advice
from server_a.run.publish import retire
from server_a.run.record import RunJournal
from server_a.run.resume import KnownRun, SegmentKeeper
from server_a.run.segment import SegmentProducer
from server_a.run.settings import RunOutcome, RunSettings, RunSummary
from server_a.run.states import PublishedSegment
from server_a.run.supersession import Supersession
from server_a.run.values import ValueSource
from server_a.run.verdict import await_verdict
from server_a.shop.sample_writer import write_shop
from shared.digest import run_digest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError, SupersededError
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.record import RunRecord
from shared.segments import segment_range
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_AUDITS = 100
LOOK_EVERY_S = 1.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Story:
    """Carries out one run, new or resumed."""

    def __init__(
        self,
        common: CommonSettings,
        settings: RunSettings,
        *,
        endpoint: Endpoint,
        record: RunRecord,
        known: KnownRun | None,
        source: ValueSource,
        retry: Retry,
        clock: ServerClock,
        stop: StopRequest,
        log: FilteringBoundLogger,
    ) -> None:
        """Make the actors; see `open_story`."""
        keys = common.keys
        self._common, self._settings = common, settings
        self._endpoint, self._keys, self._record = endpoint, keys, record
        self._source, self._retry, self._clock, self._stop, self._log = source, retry, clock, stop, log
        self._progress = Progress("Writing", record.count)
        self._journal = RunJournal(endpoint, keys, record, known=known, retry=retry, clock=clock)
        self._supersession = Supersession(endpoint, keys, record, retry=retry)
        self._segments = SegmentProducer(
            endpoint,
            keys,
            record,
            source,
            settings,
            journal=self._journal,
            retry=retry,
            progress=self._progress,
            stop=stop,
            log=log,
        )
        self._keeper = SegmentKeeper(endpoint, keys, record, source, known, retry=retry, stop=stop)
        self._announcer = Announcer(endpoint, keys, record, retry=retry, clock=clock)
        self._published: dict[int, PublishedSegment] = {}
        self._lost_acknowledged = 0
        self._has_begun = known is not None

    def run(self) -> RunOutcome:
        """Begin the record, write the shop, write and announce every segment, audit, retire older segments, finish.

        Raises:
            SupersededError: A newer run has published one of the segments.
            NotFinishedError: A stop was requested, memory is full, or no server answered for too long; the run can be
                resumed, and the error says how.
            InvalidInputError: The file is not the one the run began with.
            HandoverError: The endpoint is lost for good, or refuses a command.
        """
        self._log.info(
            "run started", run_id=self._record.run_id, count=self._record.count, segments=self._record.segments
        )
        try:
            with self._progress:
                self._carry_out()
        except SupersededError:
            with suppress(HandoverError):  # the newer run's own way of removing it comes next time
                self._supersession.withdraw()
            raise
        except (NotFinishedError, EndpointUnreachableError) as error:
            if not self._has_begun:
                raise
            raise with_resume_advice(error, self._common, self._settings, self._record.run_id) from error
        summary = self._summary()
        self._log.info("run finished", **asdict(summary))
        first, last = self._keys.segment(1), self._keys.segment(self._record.segments)
        return RunOutcome(summary, self._source.describe(), first, last, self._announcer.signal_s)

    def await_verdict(self) -> str:
        """Return server-b's verdict on the run, once it is verified; see `await_verdict` for the rest."""
        return await_verdict(
            self._endpoint,
            self._keys,
            self._record.run_id,
            attempts={number: segment.state.attempt for number, segment in self._published.items()},
            limit_s=self._settings.await_verdict_s,
            stop=self._stop,
        )

    def _carry_out(self) -> None:
        if self._settings.resume:
            self._supersession.require_newest()  # a new run has just looked
        self._journal.begin()
        self._has_begun = True
        self._write_shop()
        look_at = time.monotonic() + LOOK_EVERY_S
        for number in range(1, self._record.segments + 1):
            if time.monotonic() >= look_at:
                self._supersession.require_newest()
                look_at = time.monotonic() + LOOK_EVERY_S
            if not self._keep(number):
                self._write(number)
            self._announce(number)
        outages_seen = -1
        while self._retry.outage_count != outages_seen:  # a failover may lose what an audit has found in place
            outages_seen = self._retry.outage_count
            findings = self._audit_and_mend()
            self._retire(findings.older)
            self._segments.remove_lost()
            self._journal.finish(len(self._published))

    def _write_shop(self) -> None:
        record = self._record
        write_shop(
            self._endpoint,
            self._keys,
            users=record.users,
            skus=record.skus,
            carts=record.carts,
            seed=record.seed,
            retry=self._retry,
            stop=self._stop,
        )

    def _keep(self, number: int) -> bool:
        """Keep a segment that a resumed run had published before; return whether there is one."""
        kept = self._keeper.kept(number)
        self._segments.follow(self._keeper.newest_attempt)
        if kept is None:
            return False
        self._segments.require_replicas(number, kept.state.attempt)
        self._published[number] = kept
        self._progress.add(kept.state.count)
        self._journal.count(kept.state.count)
        return True

    def _write(self, number: int) -> None:
        """Write and publish a segment."""
        part = segment_range(number, count=self._record.count, segment_values=self._record.segment_values)
        self._published[number] = self._segments.write(part)
        self._log.debug("segment published", segment=number, attempt=self._published[number].state.attempt)

    def _announce(self, number: int) -> None:
        """Signal a segment whose signal was not sent yet, and note that in the record."""
        segment = self._published[number]
        if segment.signal_id:
            return
        self._journal.note_chunk(number, segment.longest)
        segment.signal_id = self._announcer.announce(number, segment.state)
        self._journal.note_signal(number, segment.signal_id, published=len(self._published))

    def _audit_and_mend(self) -> AuditFindings:
        """Look for what is gone though it was acknowledged, and write it again, until nothing is missing."""
        outages_seen = 0
        for audits in range(MAX_AUDITS):
            self._stop.wait(min(LONGEST_PAUSE_S, audits * FIRST_PAUSE_S))
            self._stop.check(f"run {self._record.run_id}")
            self._retry.keep_trying(self._endpoint.refresh)  # on fresh connections, to whoever is primary now
            if self._retry.outage_count > outages_seen:
                outages_seen = self._retry.outage_count
                self._write_shop()
            findings = self._retry.keep_trying(audit, self._endpoint, self._keys, self._record, self._published)
            self._clock.set(findings.server_us)
            if findings.is_clean and self._retry.outage_count == outages_seen:
                return findings
            self._mend(findings)
        raise NotFinishedError(
            where=self._endpoint.name, expected="a server that keeps what it acknowledged", got=f"{MAX_AUDITS} losses"
        )

    def _mend(self, findings: AuditFindings) -> None:
        if not findings.is_clean:
            self._log.warning("acknowledged writes lost", segments=findings.segments, signals=findings.signals)
        if findings.is_record_lost:
            self._journal.begin()
        for number in findings.segments:
            lost = self._published[number].state.count
            self._lost_acknowledged += lost
            self._progress.add(-lost)
            self._journal.count(-lost)
            self._write(number)
        for number in findings.segments + findings.signals:
            self._published[number].signal_id = ""
            self._announce(number)

    def _retire(self, older: list[int]) -> None:
        """Remove segments that older runs left, from the top down, so that a stop leaves no gap."""
        newest = max((segment.state for segment in self._published.values()), key=lambda state: state.attempt)
        for number in reversed(older):
            key = self._keys.segment(number)
            self._retry.keep_trying(
                retire, self._endpoint, self._keys, key, by=newest, retain_ms=self._record.retain_ms
            )
            self._log.debug("old segment removed", key=key)

    def _summary(self) -> RunSummary:
        record, segments = self._record, self._segments
        in_order = [self._published[number].state.digest for number in range(1, record.segments + 1)]
        return RunSummary(
            run_id=record.run_id,
            count=record.count,
            segments=record.segments,
            digest=run_digest(in_order),
            users=record.users,
            skus=record.skus,
            carts=record.carts,
            attempts=segments.attempts,
            lost_acknowledged=self._lost_acknowledged,
            outage_s=round(self._retry.outage_s, 3),
            write_s=round(segments.write_s, 6),
            values_per_s=round(segments.values_written / segments.write_s) if segments.write_s else 0,
            endpoint=self._endpoint.name,
        )
