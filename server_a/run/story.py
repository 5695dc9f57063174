"""The producer's story: read `Story._carry_out` first.

Makes the actors of a run from what `open_story` has opened. Whatever may be repeated goes through `Retry`, so a lost
connection needs no recovery code of its own; what may not, an attempt at a segment, is begun anew by `SegmentProducer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from server_a.run.audit import AuditFindings, audit
from server_a.run.keeping import SegmentKeeper
from server_a.run.loss_limit import LossLimit
from server_a.run.losses import Losses
from server_a.run.lost_states import LostStates
from server_a.run.outcome import RunSummary, await_verdict, summarize
from server_a.run.publish import Announcer, questions
from server_a.run.publishing import Publisher
from server_a.run.record import RunJournal
from server_a.run.replicas import ReplicaWait
from server_a.run.resume import KnownRun
from server_a.run.segment import SegmentProducer
from server_a.run.settings import RunSettings, with_resume_advice
from server_a.run.states import PublishedSegment, Supersession
from server_a.run.values import ValueSource
from server_a.run.writers import Writers, tasks_each, writers_of
from server_a.shop.sample import Sample
from server_a.shop.sample_writer import SampleWriter
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.retry import FIRST_PAUSE_S, LONGEST_PAUSE_S, Retry
from shared.errors import (
    EndpointUnreachableError,
    HandoverError,
    NotFinishedError,
    ReadOnlyEndpointError,
    SupersededError,
    WrongEndpointError,
)
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.program.screen import screen
from shared.program.telemetry.telling import ProducerTelemetry
from shared.record import RunRecord
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class Story:
    """Carries out one run, new or resumed (`known` is what Redis holds of that one)."""

    common: CommonSettings
    settings: RunSettings
    endpoint: Endpoint
    record: RunRecord
    known: KnownRun | None
    source: ValueSource
    at_once: int  # most segments that may be under way
    retry: Retry
    clock: ServerClock
    stop: StopRequest
    log: FilteringBoundLogger
    telemetry: ProducerTelemetry = field(default_factory=ProducerTelemetry)
    published: dict[int, PublishedSegment] = field(init=False, default_factory=dict)
    lost_acknowledged: int = field(init=False, default=0)
    segments_rewritten: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        endpoint, keys, record, retry, clock = self.endpoint, self.common.keys, self.record, self.retry, self.clock
        source, known, stop, log = self.source, self.known, self.stop, self.log
        self.has_begun = known is not None
        self.progress = Progress("Writing", record.count)
        self.journal = RunJournal(endpoint, keys, record, self.progress, known=known, retry=retry, clock=clock)
        sample = Sample(users=record.users, skus=record.skus, carts=record.carts, seed=record.seed)
        counted, note = self.journal.shop, self.journal.note_shop
        self.shop = SampleWriter(
            endpoint, keys, sample, overwrite=record.overwrite, retry=retry, stop=stop, count=counted, on_counted=note
        )
        self.supersession = Supersession(endpoint, keys, record, retry=retry, clock=clock)
        self.keeper = SegmentKeeper(endpoint, keys, record, source, retry, stop, self.settings.repair)
        count = min(self.at_once, writers_of(self.settings.writers, endpoint, record.segments))
        look = partial(questions, endpoint, keys)
        counts = {"count": count, "tasks_each": tasks_each(record.segment_values)}
        self.writers = writers = Writers(endpoint, self.common.endpoint, source, look, **counts)
        self.lost = LostStates(endpoint, keys, stop)
        self.replicas = ReplicaWait(endpoint, keys, self.settings.min_replicas, retry)
        signalled = known.signalled if known is not None else frozenset()
        publisher = Publisher(endpoint, keys, record, stop, log, writers.tell, signalled)
        losses = Losses(endpoint, keys, self.journal, retry, stop, log)
        actors = (writers, publisher, losses, self.replicas, self.journal, self.supersession)
        self.segments = SegmentProducer(endpoint, keys, record, self.at_once, *actors, retry, stop, log, self.telemetry)
        self.announcer = Announcer(endpoint, keys, record, retry=retry, clock=clock, log=log, telemetry=self.telemetry)
        if self.settings.every is None:  # else it counts those of all runs
            self.telemetry.outages_from(lambda: (retry.outage_count, retry.outage_s))

    def run(self) -> RunSummary:
        """Carry out the run; an error after which it can be resumed says how."""
        with self.telemetry.run(self.record, is_resumed=self.known is not None):
            return self._run()

    def _run(self) -> RunSummary:
        record = self.record
        self.log.info("run started", run_id=record.run_id, count=record.count, segments=record.segments)
        try:
            with self.progress, closing(self.segments):
                self._carry_out()
        except SupersededError as error:
            self.supersession.require_ours(error)
            with suppress(HandoverError):  # the newest run, or the next one, removes what is left
                self.supersession.withdraw()
            raise
        except (NotFinishedError, EndpointUnreachableError, WrongEndpointError) as error:
            # of the wrong endpoints one only was right before: a primary that became a replica
            is_wrong = isinstance(error, WrongEndpointError) and not isinstance(error.__cause__, ReadOnlyEndpointError)
            if is_wrong or not self.has_begun:
                raise
            raise with_resume_advice(error, self.common, self.settings, record.run_id) from error
        shop_kept, lost = self.journal.shop.kept, self.lost_acknowledged
        counts = {"shop_kept": shop_kept, "lost": lost, "rewritten": self.segments_rewritten}
        summary = summarize(record, self.published, self.segments, self.retry, **counts)
        tell = self.log.debug if screen.is_all else self.log.info  # the summary beside it says the same
        # without `reply_ms`, an object, for which a log line has no room
        tell("run finished", **{name: value for name, value in asdict(summary).items() if name != "reply_ms"})
        return summary

    def await_verdict(self) -> str:
        """Return server-b's verdict on the run, once it is verified; see the function of this name."""
        self.source.close()  # a copy of standard input takes room
        keys, limit_s = self.common.keys, self.settings.await_verdict_s
        with self.telemetry.stage("await verdict"):
            return await_verdict(self.endpoint, keys, self.record, self.published, limit_s=limit_s, stop=self.stop)

    def _carry_out(self) -> None:
        """Begin the record, write the shop, write and announce every segment, audit, retire older ones, finish."""
        if self.known is not None:  # for a new run, `new_run` has just looked
            self.supersession.require_newest()
            self._keep(self.known)
        self.segments.plan(set(range(1, self.record.segments + 1)) - self.published.keys())
        self.journal.shop = self.shop.look()  # so that the record has it from the start
        self.journal.begin(self.segments.next_numbers())
        self.has_begun = True
        with self.telemetry.stage("write shop"):
            self.shop.write()
        self._announce_again(self.published)
        self._produce()
        outages_seen = -1
        while self.retry.outage_count != outages_seen:  # a failover may lose what an audit has found in place
            outages_seen = self.retry.outage_count
            findings = self._audit_and_mend()
            self._retire(findings.older)
            self.segments.losses.remove_again()
            self.journal.finish(len(self.published))

    def _keep(self, known: KnownRun) -> None:
        """Keep the segments that a resumed run had published before."""
        for number, kept in self.keeper.kept(known):
            self.replicas.require(number, kept.state.attempt)
            self.published[number] = kept
            self.journal.count_kept(kept.state.count)
        self.journal.follow(self.keeper.newest_attempt)

    def _produce(self) -> None:
        """Write, publish and announce the segments that are planned; writers go on while one is announced."""
        for published in self.segments.produce():
            self.published |= published
            self._announce(published)

    def _announce_again(self, numbers: Iterable[int]) -> None:
        """Signal those of these segments, published before, that have no signal."""
        if unsignalled := [number for number in numbers if not self.published[number].signal_id]:
            self.announcer.require_ours()
            self._announce(unsignalled)

    def _announce(self, numbers: Iterable[int]) -> None:
        """Signal segments, and note that in the record."""
        new = {number: self.published[number] for number in numbers}
        self.journal.note_chunks({number: segment.longest for number, segment in new.items()})
        ids = self.announcer.announce({number: segment.state for number, segment in new.items()})
        for number, signal_id in ids.items():
            new[number].signal_id = signal_id
        self.journal.note_signals(ids, published=len(self.published), prepare=self.segments.next_numbers())

    def _audit_and_mend(self) -> AuditFindings:
        """Look for acknowledged writes that are gone, and write them again, until nothing is missing."""
        outages_seen = 0
        limit = LossLimit(self.endpoint.name, self.retry.limit_s)
        while True:
            self.stop.wait(min(LONGEST_PAUSE_S, limit.mended * FIRST_PAUSE_S))
            self.stop.check(f"run {self.record.run_id}")
            self.retry.keep_trying(self.endpoint.refresh)  # a demoted primary still answers on open connections
            if self.retry.outage_count > outages_seen:
                outages_seen = self.retry.outage_count
                self.shop.write()
            with self.telemetry.stage("audit"):
                look = partial(audit, self.endpoint, self.common.keys, self.record, self.published)
                findings = self.retry.keep_trying(self.lost.restoring, sorted(self.published), self.log, look)
            self.clock.set(findings.server_us)
            if findings.is_clean and self.retry.outage_count == outages_seen:
                return findings
            limit.note(findings, outages=self.retry.outage_count)
            self._mend(findings)

    def _mend(self, findings: AuditFindings) -> None:
        if not findings.is_clean:
            told = {name: getattr(findings, name) for name in ("segments", "signals", "is_record_lost")}
            self.log.warning("acknowledged writes lost", **told)
        if findings.is_record_lost:
            self.journal.begin()
        self.journal.follow(findings.newest)
        again = {*findings.segments, *findings.misled}
        lost_values = 0
        for number in again:
            count = self.published.pop(number).state.count
            lost_values += count if number in findings.segments else 0
            self.journal.count(-count)
        self.lost_acknowledged += lost_values
        self.segments_rewritten += len(again)
        self.telemetry.lost(values=lost_values, segments=len(again))
        self.segments.plan(again)
        self._produce()
        for number in (lost := set(findings.signals) - again):
            self.published[number].signal_id = ""
        self._announce_again(lost)

    def _retire(self, older: list[int]) -> None:
        """Remove segments that older runs left, from the top down, so that a stop leaves no gap."""
        newest = max((segment.state for segment in self.published.values()), key=lambda state: state.attempt)
        for number in reversed(older):
            if self.supersession.retire(number, by=newest):
                self.log.debug("old segment removed", key=self.common.keys.segment(number))
