"""One execution of `server-b run`, from the endpoint's first answer to the last report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from server_b.consumer_tools import ConsumerTools
from server_b.follow.follower import Follower
from server_b.group.consumer import Consumer
from server_b.lease import Lease, touch_heartbeat
from server_b.report.once import Reporting
from server_b.report.run_report import RunReport
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.retry import Retry
from shared.errors import NotFinishedError, ReadOnlyEndpointError, VerificationFailedError
from shared.program.options import CommonSettings
from shared.stopping import StopRequest
from shared.verdict import FAILED, VERIFIED

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
    with ExitStack() as stack:
        endpoint = stack.enter_context(closing(open_endpoint(common.endpoint)))
        progress = stack.enter_context(closing(RunProgress()))
        lease = Lease(settings, stop, log, endpoint=endpoint.name)

        def emit_below_bar(report: RunReport) -> None:
            progress.close()
            emit(report)

        reporting = Reporting(endpoint, common.keys, settings, emit=emit_below_bar, log=log)

        def refresh() -> None:
            lease.beat()  # waiting for a server is not being stuck
            endpoint.refresh()

        retry = Retry(
            RETRY_S,
            stop,
            on_outage=lambda error: log.warning("endpoint lost, trying again", reason=str(error)),
            refresh=refresh,
            final=(ReadOnlyEndpointError,),
        )
        examiner = SegmentExaminer(
            endpoint,
            common.keys,
            consumer=settings.consumer,
            keep=settings.kept_values,
            lease=lease,
            retry=retry,
            progress=progress,
        )
        tools = ConsumerTools(lease, retry, reporting, examiner, progress, log)
        if endpoint.kind.is_replica:
            Follower(endpoint, common.keys, settings, tools).run()
        else:
            _serve(endpoint, common, settings, tools)
    if settings.is_once:
        _require_verified(reporting.final)


def _serve(endpoint: Endpoint, common: CommonSettings, settings: ConsumerSettings, tools: ConsumerTools) -> None:
    """Share the group, and follow for as long as the endpoint is a replica: a failover may make it one for a while."""
    while not tools.is_over:
        try:
            Consumer(endpoint, common.keys, settings, tools).run()
        except ReadOnlyEndpointError as error:
            tools.log.warning("endpoint has become a replica, following it", reason=str(error))
            Follower(endpoint, common.keys, settings, tools, was_group=True).run()


def _require_verified(report: RunReport | None) -> None:
    if report is None:
        raise NotFinishedError(where="server-b run", expected="a complete run", got="a stop request")
    if report.verdict == FAILED:
        raise VerificationFailedError(where=f"run {report.run_id}", expected=VERIFIED, got=f"{FAILED}: {report.reason}")
    if report.verdict != VERIFIED:
        raise NotFinishedError(where=f"run {report.run_id}", expected=VERIFIED, got=f"{report.verdict} {report.reason}")
