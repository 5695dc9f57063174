"""Opens what a run needs: the values, the endpoint, and the record of a new or a known run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from server_a.run.lost_states import LostStates
from server_a.run.new_run import new_run_or_restore, source_of
from server_a.run.resume import KnownRun, read_known_run, remove_staging
from server_a.run.room import Room, look_at_resumed, require_room
from server_a.run.settings import RunSettings, begin_command, with_resume_advice
from server_a.run.story import Story
from server_a.run.values import ValueSource
from server_a.run.writers import segments_at_once
from server_a.shop.sample_writer import check_shop_size
from shared.endpoint.endpoint import ServerClock
from shared.endpoint.opening import open_when_ready
from shared.endpoint.retry import Retry
from shared.errors import InvalidInputError, NotFinishedError, TransientError, WrongEndpointError
from shared.fields import check_run_id
from shared.program.options import CommonSettings
from shared.program.telemetry.telling import ProducerTelemetry
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@contextmanager
def open_story(
    common: CommonSettings,
    settings: RunSettings,
    *,
    stop: StopRequest,
    log: FilteringBoundLogger,
    telemetry: ProducerTelemetry | None = None,
) -> Iterator[Story]:
    """Open what a run needs, for the time of the block; without `telemetry` nobody is told of it."""
    keys, clock = common.keys, ServerClock()
    if settings.repair and settings.resume is None:
        raise InvalidInputError(where="--repair", expected="--resume RUN_ID with it", got="none")
    with ExitStack() as stack:
        known: KnownRun | None = None
        source: ValueSource | None = None
        if settings.resume is None:  # errors in the values are reported before anything is sent
            check_shop_size(**settings.shop_size())
            source = stack.enter_context(closing(source_of(settings, None, stop)))
        else:
            check_run_id("--resume", settings.resume)

        def tell(error: TransientError) -> None:
            log.warning("endpoint not ready, trying again", reason=str(error))

        waiting = Retry(settings.patience_s, stop, on_outage=tell, refresh=lambda: None)
        endpoint = stack.enter_context(closing(open_when_ready(common.endpoint, waiting)))
        if endpoint.kind.is_replica:
            expected, got = "a primary that takes writes", "a read-only replica"
            raise WrongEndpointError(where=endpoint.name, expected=expected, got=got, advice="give the primary's URL")

        def refresh() -> None:
            endpoint.refresh()
            clock.set(endpoint.server_us(keys.signals()))  # another server may be the primary now

        def warn(error: TransientError) -> None:
            log.warning("endpoint lost, trying again", reason=str(error))

        retry = Retry(settings.patience_s, stop, on_outage=warn, refresh=refresh)
        lost = LostStates(endpoint, keys, stop)
        if source is not None:
            command = begin_command(common, settings)
            begun = retry.keep_trying(new_run_or_restore, lost, settings, source, command=command, log=log)
            record, found = begun.record, begun.found
            clock.set(begun.server_us)
        else:
            known = retry.keep_trying(read_known_run, endpoint, keys, settings)
            record = known.record
            check_shop_size(users=record.users, skus=record.skus, carts=record.carts)
            clock.set(known.server_us)
            retry.keep_trying(remove_staging, endpoint, keys, known.abandoned)
            source = stack.enter_context(closing(source_of(settings, record, stop)))
            retry.worked_here()  # a file of lines was read through
            look = partial(look_at_resumed, endpoint, keys, record, server_ms=known.server_us // 1_000)
            found = retry.keep_trying(lost.restoring, range(1, record.segments + 1), log, look)
        try:
            room, most = Room(endpoint, keys, record, source, found), segments_at_once(settings, endpoint, record)
            at_once = require_room(room, most=most, retry=retry, stop=stop, log=log)
        except NotFinishedError as error:
            if known is None:
                raise
            raise with_resume_advice(error, common, settings, record.run_id) from error
        told = telemetry or ProducerTelemetry()
        yield Story(common, settings, endpoint, record, known, source, at_once, retry, clock, stop, log, told)
