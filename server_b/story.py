"""The consumer's story, and its composition root: the actors of `server-b run` are made here and nowhere else.

For each entry, under a lease: decode it (else a dead letter), acknowledge it if its verdict is known, examine its
segment, record the verdict and acknowledge the entry in one transaction, and report the run if that completed it.
A kill at any moment therefore costs a second reading and never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_b.follow.follower import Follower
from server_b.group.ahead import EntryAhead
from server_b.group.consumer import Consumer
from server_b.group.consumer_name import ConsumerName
from server_b.group.delivery import Delivery
from server_b.group.endings import EntryEndings
from server_b.group.entries import EntrySource
from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from server_b.group.signal_group import SignalGroup
from server_b.lease import GivenBack, Lease
from server_b.report.once import Reports
from server_b.report.run_report import RunReport
from server_b.segment.examiner import NEVER_ARRIVED, SegmentExaminer, StillMissingError
from server_b.segment.progress import RunProgress
from server_b.segment.reading import Reading
from server_b.segment.telling import ReadingTeller
from server_b.serving import RETRY_S, Serving, open_for_serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import (
    HandoverError,
    InvalidInputError,
    LongReplyError,
    ReadOnlyEndpointError,
    TransientError,
    WrongKeyError,
)
from shared.keys import Keyspace
from shared.program.options import CommonSettings
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.verdict import SegmentVerdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def consume(
    common: CommonSettings,
    settings: ConsumerSettings,
    *,
    stop: StopRequest,
    log: FilteringBoundLogger,
    emit: Callable[[RunReport], None],
    telemetry: ConsumerTelemetry | None = None,
) -> None:
    """Serve signals until a stop request, which finishes the entry in hand or gives it back, or `--once` has its run.

    Raises:
        VerificationFailedError: The run that `--once` waited for failed.
        NotFinishedError: It was superseded, none came in time, or a stop came first.
    """
    opened = open_for_serving(common.endpoint, settings, stop, log)
    if opened is None:
        return
    with closing(opened) as endpoint, closing(RunProgress()) as progress:
        told = telemetry or ConsumerTelemetry()
        story = Story(endpoint, common.keys, settings, progress, stop, log, emit, told)
        story.run()
    if settings.is_once:
        story.reports.require_verified()


@dataclass
class Story:
    """One execution of `server-b run`."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    progress: RunProgress
    stop: StopRequest
    log: FilteringBoundLogger
    emit: Callable[[RunReport], None]
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)

    def __post_init__(self) -> None:
        endpoint, keys, settings, progress, log = self.endpoint, self.keys, self.settings, self.progress, self.log
        telemetry = self.telemetry
        self.lease = lease = Lease(settings, self.stop, log, endpoint=endpoint.name)
        self.retry = retry = Retry(
            RETRY_S, self.stop, on_outage=self._tell_outage, refresh=self._refresh, final=(ReadOnlyEndpointError,)
        )
        telemetry.outages_from(lambda: (retry.outage_count, retry.outage_s))
        self.reports = reports = Reports(endpoint, keys, settings, progress, self.emit, log, retry, lease.look_on)
        self.serving = serving = Serving(self.stop, retry, reports)
        self.teller = ReadingTeller(endpoint, keys, settings.consumer, log)
        self.examiner = examiner = SegmentExaminer(
            endpoint, keys, settings, lease, retry, progress, log, telemetry, self.teller
        )
        group = SignalGroup(endpoint, keys, settings.consumer, settings.name_token, telemetry.is_on)
        self.source = source = EntrySource(group, settings, log, telemetry)
        settler = EntrySettler(endpoint, keys, settings.consumer)
        self.endings = EntryEndings(settler, source, lease, retry, log, telemetry)
        self.consumer = Consumer(
            group, ConsumerName(group, self.stop), source, settings, serving, lease, retry, reports, log
        )
        self.ahead = EntryAhead(self.consumer, source, examiner, self.stop, settings.max_deliveries)
        self.follower = Follower(
            endpoint, keys, settings, serving, lease, retry, reports, examiner, progress, log, telemetry
        )

    def run(self) -> None:
        """Serve the group, and follow while the endpoint is a replica, as it may be for some time after a failover."""
        if self.endpoint.kind.is_replica:
            self.follower.run(was_group=False)
        while not self.serving.is_over:
            try:
                self._serve()
            except ReadOnlyEndpointError as error:
                self.log.warning("endpoint has become a replica, following it", reason=str(error))
                self.follower.run(was_group=True)
                if not self.serving.is_over:
                    self.log.info("endpoint takes writes again, serving the group")

    def _serve(self) -> None:
        try:
            with closing(self.ahead), self.teller.serving():
                for entry in self.consumer.entries():
                    with self.consumer.holding(entry), self.ahead.dropped_at_fault(), self._told(entry):
                        self._handle(entry)
        except ReadOnlyEndpointError:  # it is followed, and its group served again later
            raise
        except HandoverError:
            self.consumer.leave_after_error()
            raise
        self.consumer.leave()

    def _told(self, entry: Entry) -> AbstractContextManager[None]:
        traceparent, is_claimed = (entry.fields or {}).get(b"traceparent", b""), bool(entry.claimed_from)
        delivered_s = entry.delivered_s
        return self.telemetry.process(entry.entry_id, traceparent, delivered_s=delivered_s, is_claimed=is_claimed)

    def _handle(self, entry: Entry) -> None:
        """Bring one entry to its end: a verdict, a dead letter, or another delivery later."""
        if entry.fields is None:
            self.endings.let_go_trimmed(entry)
            return
        try:
            signal = Signal.decode(entry.fields)
        except InvalidInputError as error:
            self.endings.dead_letter(entry, str(error))
            return
        try:
            self._decide(*self._look_at(entry, signal))
        except WrongKeyError as error:  # the result is not ours: no place for a verdict
            self.endings.dead_letter(entry, str(error))

    def _look_at(self, entry: Entry, signal: Signal) -> tuple[Delivery, Reading | None]:
        try:
            return self.ahead.look_at(entry, signal)
        except LongReplyError as error:  # somebody else's values under the names of its run or segment
            where = f"run {signal.run_id}, segment {signal.segment}: {error.where}"
            raise WrongKeyError(where=where, expected=error.expected, got=error.got, advice=error.advice) from error

    def _decide(self, delivery: Delivery, begun: Reading | None) -> None:
        """Acknowledge what is known, give up what can't be read, and examine the rest."""
        entry, signal, number = delivery.entry, delivery.signal, delivery.number
        self.reports.took_part(signal.run_id)
        self.telemetry.decoded(signal, deliveries=number)
        if delivery.is_known:
            if entry.is_redelivered:
                self.reports.report_if_complete(signal.run_id)
            self.log.debug("verdict stands already", run_id=signal.run_id, segment=signal.segment)
            self.endings.acknowledge(entry)
        elif delivery.look.contradiction:
            self.endings.dead_letter(entry, f"segment {signal.segment}: {delivery.look.contradiction}")
        elif delivery.look.obstacle:
            self._give_up(delivery, delivery.look.obstacle)
        elif number > self.settings.max_deliveries:
            self._give_up(delivery, f"delivered {number - 1} times without a verdict")
        else:
            self._examine(delivery, begun)

    def _examine(self, delivery: Delivery, begun: Reading | None) -> None:
        """Read and verify a segment, and record the verdict; or leave the entry for another delivery."""
        entry, signal, number = delivery.entry, delivery.signal, delivery.number
        self.progress.begin(signal, delivery.look.record)
        asked, takes_next = self.endings.asked, not self.endings.is_last(signal)
        try:
            verdict = self.ahead.examine(delivery, begun, takes_next=takes_next, nearly_read=asked.ask)
            if verdict is not None:
                self._record(delivery, verdict)
            else:
                self.endings.acknowledge(entry)
        except StillMissingError:
            if self.source.missing.add(entry, signal, number):
                self.lease.let_wait(entry.entry_id)
            elif number >= self.settings.max_deliveries:
                self._record(delivery, self.examiner.never_arrived(signal, delivery.look), dead_reason=NEVER_ARRIVED)
            else:
                self.source.leave(entry)
                self.log.warning("list not there yet, left pending", run_id=signal.run_id, segment=signal.segment)
        except WrongKeyError as error:
            self._give_up(delivery, str(error))
        except GivenBack as reason:
            self.source.give_back(entry, deliveries=number)
            self.log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))
        finally:
            asked.close()

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        """End an entry that can't be examined: verdict failed, and a dead letter."""
        self._record(delivery, self.examiner.given_up(delivery.signal, delivery.look, reason), dead_reason=reason)

    def _record(self, delivery: Delivery, verdict: SegmentVerdict, *, dead_reason: str = "") -> None:
        """Record a verdict with its entry's acknowledgement, and report the run if that completed it."""
        signal, is_complete = delivery.signal, self.endings.record(delivery, verdict, dead_reason=dead_reason)
        self.progress.examined(signal, verdict, of_all=self.endings.recorded[1])
        if is_complete:  # no other delivery would bring the report
            self.retry.keep_trying(self.reports.report_if_complete, signal.run_id, segments=signal.segments)

    def _refresh(self) -> None:
        with suppress(TransientError):  # what it renews may be where a server was lost; then it is renewed later
            self.lease.beat()  # a consumer that waits for its server is alive
        self.endpoint.refresh()

    def _tell_outage(self, error: TransientError) -> None:
        self.log.warning("endpoint lost, trying again", reason=str(error))
