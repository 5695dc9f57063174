"""The consumer's story: read `Story.run` and `Story._handle` first.

The one place where the actors of `server-b run` are made. A verdict and the acknowledgement of its entry are one
transaction, so a kill at any moment costs a second reading and never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from server_b.entry import Entry
from server_b.follow.follower import Follower
from server_b.group.consumer import Consumer
from server_b.group.delivery import Delivery, look_at
from server_b.group.endings import EntryEndings
from server_b.group.entries import EntrySource
from server_b.group.settling import EntrySettler
from server_b.group.signal_group import SignalGroup
from server_b.lease import GivenBack, Lease, WaitedTooLong, touch_heartbeat
from server_b.report.once import Reports
from server_b.report.run_report import RunReport
from server_b.segment.examiner import NEVER_ARRIVED, SegmentExaminer, StillMissingError
from server_b.segment.progress import RunProgress
from server_b.serving import Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.retry import Retry
from shared.errors import (
    EndpointUnreachableError,
    InvalidInputError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongKeyError,
)
from shared.program.options import CommonSettings
from shared.signal import Signal
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

RETRY_S = 60.0


def consume(
    common: CommonSettings,
    settings: ConsumerSettings,
    *,
    stop: StopRequest,
    log: FilteringBoundLogger,
    emit: Callable[[RunReport], None],
) -> None:
    """Serve signals until stopped or, with `--once`, until a run is complete.

    Args:
        common: The endpoint and the namespace.
        settings: What to do.
        stop: Ends serving at the next step; an entry in hand is finished or given back.
        log: For events.
        emit: Prints a report.

    Raises:
        VerificationFailedError: The run that `--once` waited for failed.
        NotFinishedError: It was superseded, none came in time, or a stop was requested before one came.
        HandoverError: The endpoint is lost for good, or refuses a command.
    """
    if settings.heartbeat_file:
        touch_heartbeat(settings.heartbeat_file)
    with closing(open_endpoint(common.endpoint)) as endpoint, closing(RunProgress()) as progress:
        story = Story(endpoint, common, settings, progress=progress, stop=stop, log=log, emit=emit)
        story.run()
    if settings.is_once:
        story.reports.require_verified()


class Story:
    """One execution of `server-b run`.

    Attributes:
        reports: The runs reported, and the one that `--once` has waited for.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        common: CommonSettings,
        settings: ConsumerSettings,
        *,
        progress: RunProgress,
        stop: StopRequest,
        log: FilteringBoundLogger,
        emit: Callable[[RunReport], None],
    ) -> None:
        """Make the actors."""
        keys = common.keys
        self._endpoint, self._keys, self._settings, self._progress, self._log = endpoint, keys, settings, progress, log
        self._lease = Lease(settings, stop, log, endpoint=endpoint.name)
        self._retry = Retry(
            RETRY_S,
            stop,
            on_outage=self._tell_outage,
            refresh=self._refresh,
            final=(ReadOnlyEndpointError,),
        )
        self.reports = Reports(endpoint, keys, settings, progress=progress, emit=emit, log=log)
        self._serving = Serving(self._lease, self._retry, self.reports)
        self._examiner = SegmentExaminer(
            endpoint,
            keys,
            consumer=settings.consumer,
            keep=settings.kept_values,
            lease=self._lease,
            retry=self._retry,
            progress=progress,
        )
        self._group = SignalGroup(endpoint, keys, settings.consumer)
        self._source = EntrySource(self._group, settings, log)
        self._endings = EntryEndings(
            EntrySettler(endpoint, keys, settings.consumer),
            self._source,
            lease=self._lease,
            retry=self._retry,
            reports=self.reports,
            log=log,
        )

    def run(self) -> None:
        """Share the group; follow while the endpoint is a replica, which a failover may make it for some time."""
        if self._endpoint.kind.is_replica:
            self._follow(was_group=False)
            return
        while not self._serving.is_over:
            try:
                self._serve()
            except ReadOnlyEndpointError as error:
                self._log.warning("endpoint has become a replica, following it", reason=str(error))
                self._follow(was_group=True)

    def _serve(self) -> None:
        consumer = Consumer(
            self._group,
            self._source,
            self._settings,
            serving=self._serving,
            lease=self._lease,
            retry=self._retry,
            reports=self.reports,
            log=self._log,
        )
        try:
            for entry in consumer.entries():
                with consumer.holding(entry):
                    self._handle(entry)
        except (NotFinishedError, EndpointUnreachableError):
            consumer.leave()
            raise
        consumer.leave()

    def _handle(self, entry: Entry) -> None:
        """Bring one entry to its end: a verdict, a dead letter, or another delivery later."""
        try:
            self._bring_to_end(entry)
        except GivenBack as reason:  # claimed by another consumer, in an outage before we could record anything
            self._log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))

    def _bring_to_end(self, entry: Entry) -> None:
        if entry.fields is None:
            self._log.warning("entry was trimmed before it was processed", entry_id=entry.entry_id)
            self._endings.acknowledge(entry)
            return
        try:
            signal = Signal.decode(entry.fields)
            self._decide(look_at(self._endpoint, self._keys, entry, signal, group=self._group, source=self._source))
        except (InvalidInputError, WrongKeyError) as error:  # it is no signal, or there is no place for a verdict
            self._endings.dead_letter(entry, str(error))

    def _decide(self, delivery: Delivery) -> None:
        """Acknowledge what is known, give up what can't be read, and examine the rest."""
        entry, signal = delivery.entry, delivery.signal
        self.reports.took_part(signal.run_id)
        if delivery.is_known:
            if entry.is_redelivered:
                self.reports.report_if_complete(signal.run_id)
            self._endings.acknowledge(entry)
        elif delivery.obstacle:
            self._give_up(delivery, delivery.obstacle)
        elif delivery.number > self._settings.max_deliveries:
            self._give_up(delivery, f"delivered {delivery.number - 1} times without a verdict")
        else:
            self._examine(delivery)

    def _examine(self, delivery: Delivery) -> None:
        """Read and verify a segment, and record the verdict; or leave the entry for another delivery."""
        entry, signal = delivery.entry, delivery.signal
        self._progress.begin(signal)
        try:
            verdict = self._examiner.examine(
                signal, delivery.look, lag_ms=delivery.lag_ms, settle_s=self._settings.settle_s
            )
            if verdict is not None:
                self._endings.record(delivery, verdict)
            else:
                self._endings.acknowledge(entry)
        except StillMissingError:
            if delivery.number >= self._settings.max_deliveries:
                self._give_up(delivery, NEVER_ARRIVED)
            else:
                self._source.leave(entry)
                self._log.warning("list not there yet, left pending", run_id=signal.run_id, segment=signal.segment)
        except WrongKeyError as error:
            self._give_up(delivery, str(error))
        except (GivenBack, WaitedTooLong) as reason:
            self._source.give_back(entry, deliveries=delivery.number)
            self._log.info("entry given back", entry_id=entry.entry_id, reason=str(reason))
            if isinstance(reason, WaitedTooLong):
                self._lease.check_wait()

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        """End an entry that can't be examined: verdict failed, and a dead letter."""
        self._log.warning("dead letter", entry_id=delivery.entry.entry_id, reason=reason)
        verdict = self._examiner.given_up(delivery.signal, delivery.look, reason, lag_ms=delivery.lag_ms)
        self._endings.record(delivery, verdict, dead_reason=reason)

    def _follow(self, *, was_group: bool) -> None:
        Follower(
            self._endpoint,
            self._keys,
            self._settings,
            serving=self._serving,
            lease=self._lease,
            retry=self._retry,
            reports=self.reports,
            examiner=self._examiner,
            progress=self._progress,
            log=self._log,
            was_group=was_group,
        ).run()

    def _refresh(self) -> None:
        self._lease.beat()  # waiting for a server is not being stuck
        self._endpoint.refresh()

    def _tell_outage(self, error: TransientError) -> None:
        self._log.warning("endpoint lost, trying again", reason=str(error))
