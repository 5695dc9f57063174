"""Opens what a run needs: the values, the endpoint, and the record, new or known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from server_a.run.commands import begin_command
from server_a.run.new_run import new_run, source_of
from server_a.run.resume import KnownRun, read_record, remove_staging
from server_a.run.settings import RunSettings
from server_a.run.story import Story
from server_a.run.values import ValueSource
from server_a.shop.sample_writer import check_shop_size
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.errors import WrongEndpointError
from shared.program.options import CommonSettings
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@contextmanager
def open_story(
    common: CommonSettings, settings: RunSettings, *, stop: StopRequest, log: FilteringBoundLogger
) -> Iterator[Story]:
    """Open what a run needs, for the time of the block.

    Raises:
        InvalidInputError: A file can't be used, an option contradicts the run that is resumed, or there is none.
        WrongEndpointError: The endpoint is a read-only replica, or holds somebody else's list or stream.
        HandoverError: The endpoint can't be used.
    """
    clock = ServerClock()
    with ExitStack() as stack:
        known: KnownRun | None = None
        source: ValueSource | None = None
        if settings.resume is None:  # what is wrong with the values is said before anything is asked
            check_shop_size(**settings.shop_size())
            source = stack.enter_context(closing(source_of(settings, None, stop)))
        endpoint = stack.enter_context(closing(_open_primary(common)))
        retry = _retry(endpoint, settings.patience_s, clock=clock, clock_key=common.keys.signals(), stop=stop, log=log)
        if source is not None:
            new = retry.keep_trying(
                new_run, endpoint, common.keys, settings, source, command=begin_command(common, settings)
            )
            record = new.record
            clock.set(new.server_us)
        else:
            known = retry.keep_trying(read_record, endpoint, common.keys, settings)
            record = known.record
            clock.set(known.server_us)
            retry.keep_trying(remove_staging, endpoint, common.keys, known.under_way)
            source = stack.enter_context(closing(source_of(settings, record, stop)))
        yield Story(
            common,
            settings,
            endpoint=endpoint,
            record=record,
            known=known,
            source=source,
            retry=retry,
            clock=clock,
            stop=stop,
            log=log,
        )


def _open_primary(common: CommonSettings) -> Endpoint:
    endpoint = open_endpoint(common.endpoint)
    if endpoint.kind.is_replica:
        endpoint.close()
        advice = "give the primary's URL"
        expected, got = "a primary that takes writes", "a read-only replica"
        raise WrongEndpointError(where=endpoint.name, expected=expected, got=got, advice=advice)
    return endpoint


def _retry(
    endpoint: Endpoint,
    limit_s: float,
    *,
    clock: ServerClock,
    clock_key: str,
    stop: StopRequest,
    log: FilteringBoundLogger,
) -> Retry:
    def refresh() -> None:
        endpoint.refresh()
        clock.set(endpoint.server_us(clock_key))  # of whoever is primary now

    return Retry(
        limit_s,
        stop,
        on_outage=lambda error: log.warning("endpoint lost, trying again", reason=str(error)),
        refresh=refresh,
    )
