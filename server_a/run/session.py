"""One execution of `server-a run`, from the endpoint's first answer to the summary."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from server_a.run.context import RunContext
from server_a.run.new_run import KnownRun, new_run, read_record, source_of
from server_a.run.resume import remove_staging
from server_a.run.settings import RunSettings, RunSummary
from server_a.run.story import Producer
from server_a.run.verdict import await_verdict
from server_a.shop.sample_writer import check_shop_size
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.endpoint.settings import DEFAULT_URL
from shared.endpoint.url import parse_url
from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError, SupersededError, WrongEndpointError
from shared.program.options import CommonSettings
from shared.program.progress import Progress
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class ProducerSession:
    """Opens what a run needs, carries it out, and closes all of it whatever happens.

    Attributes:
        inserted: What was inserted, such as `1 to 10,000`.
        list_names: The key, or the first and last key, of the list.
        signal_s: Seconds spent on signalling.
    """

    def __init__(
        self, common: CommonSettings, settings: RunSettings, stop: StopRequest, log: FilteringBoundLogger
    ) -> None:
        """Keep what the run is to do."""
        self._common = common
        self._settings = settings
        self._stop = stop
        self._log = log
        self.inserted = ""
        self.list_names = ""
        self.signal_s = 0.0
        self._attempts: dict[int, str] = {}

    def hand_over(self, emit: Callable[[RunSummary], None]) -> str:
        """Write and signal everything, emit the summary, and wait for the verdict where that was asked for.

        Returns:
            The verdict; empty when none was waited for.

        Raises:
            HandoverError: As `Producer.run` and `await_verdict`; one that can be cured by going on says how.
        """
        with ExitStack() as endpoints:
            summary, endpoint = self._produce(endpoints)
            self._log.info("run finished", **asdict(summary))
            emit(summary)
            limit_s = self._settings.await_verdict_s
            if not limit_s:
                return ""
            return await_verdict(
                endpoint,
                self._common.keys,
                summary.run_id,
                attempts=self._attempts,
                limit_s=limit_s,
                stop=self._stop,
            )

    def _produce(self, endpoints: ExitStack) -> tuple[RunSummary, Endpoint]:
        with ExitStack() as stack:
            run = self._open(endpoints, stack)
            names = [run.keys.segment(1), run.keys.segment(run.record.segments)]
            self.list_names = " to ".join(f"'{name}'" for name in dict.fromkeys(names))
            self.inserted = run.source.describe()
            self._log.info(
                "run started", run_id=run.record.run_id, count=run.record.count, segments=run.record.segments
            )
            producer = Producer(run)
            try:
                summary = producer.run()
            except (NotFinishedError, EndpointUnreachableError) as error:
                if isinstance(error, SupersededError) or not producer.has_begun:
                    raise
                raise self._with_resume_advice(error, run.record.run_id) from error
            self.signal_s = producer.signal_s
            self._attempts = producer.attempts
        return summary, run.endpoint

    def _open_primary(self, endpoints: ExitStack) -> Endpoint:
        endpoint = endpoints.enter_context(closing(open_endpoint(self._common.endpoint)))
        if endpoint.kind.is_replica:
            advice = "give the primary's URL"
            expected, got = "a primary that takes writes", "a read-only replica"
            raise WrongEndpointError(where=endpoint.name, expected=expected, got=got, advice=advice)
        return endpoint

    def _open(self, endpoints: ExitStack, stack: ExitStack) -> RunContext:
        keys, settings = self._common.keys, self._settings
        known: KnownRun | None = None
        clock = ServerClock()
        if settings.resume is None:
            check_shop_size(**settings.shop_size())
            source = stack.enter_context(closing(source_of(settings, None, self._stop)))
            endpoint = self._open_primary(endpoints)
            retry = self._retry(endpoint, clock)
            command = command_text(self._common, settings)
            new = retry.keep_trying(new_run, endpoint, keys, settings, source, command=command)
            record = new.record
            clock.set(new.server_us)
        else:
            endpoint = self._open_primary(endpoints)
            retry = self._retry(endpoint, clock)
            known = retry.keep_trying(read_record, endpoint, keys, settings)
            record = known.record
            clock.set(known.server_us)
            retry.keep_trying(remove_staging, endpoint, keys, known.under_way)
            source = stack.enter_context(closing(source_of(settings, record, self._stop)))
        return RunContext(
            endpoint=endpoint,
            keys=keys,
            settings=settings,
            record=record,
            source=source,
            retry=retry,
            clock=clock,
            stop=self._stop,
            log=self._log,
            progress=stack.enter_context(Progress("Writing", record.count)),
            known=known,
        )

    def _retry(self, endpoint: Endpoint, clock: ServerClock) -> Retry:
        def refresh() -> None:
            endpoint.refresh()
            clock.set(endpoint.server_us(self._common.keys.signals()))  # of whoever is primary now

        return Retry(
            self._settings.patience_s,
            self._stop,
            on_outage=lambda error: self._log.warning("endpoint lost, trying again", reason=str(error)),
            refresh=refresh,
        )

    def _with_resume_advice(self, error: HandoverError, run_id: str) -> HandoverError:
        advice = f"go on with: {resume_command(self._common, self._settings, run_id)}"
        kind = EndpointUnreachableError if isinstance(error, EndpointUnreachableError) else NotFinishedError
        return kind(
            where=error.where,
            expected=error.expected,
            got=error.got,
            advice=f"{error.advice}; {advice}" if error.advice else advice,
        )


def resume_command(common: CommonSettings, settings: RunSettings, run_id: str) -> str:
    """Return the command that goes on with a run, as one types it into a shell; a password is never in it."""
    return _command(common, settings, {"--resume": run_id})


def command_text(common: CommonSettings, settings: RunSettings) -> str:
    """Return the command of a new run, as one types it into a shell; a password is never in it."""
    names = ("count", "segment_values", "users", "skus", "carts", "seed", "retain_days")
    given = {f"--{name.replace('_', '-')}": getattr(settings, name) for name in names}
    return _command(common, settings, {name: str(number) for name, number in given.items() if number is not None})


def _command(common: CommonSettings, settings: RunSettings, first: dict[str, str]) -> str:
    endpoint = common.endpoint
    options = {
        **first,
        "--url": "" if endpoint.url == DEFAULT_URL else parse_url(endpoint.url).without_password(),
        "--password-file": endpoint.password_file,
        "--auth": "" if endpoint.auth == "key" else endpoint.auth,
        "--tls-ca": endpoint.tls_ca,
        "--tls-cert": endpoint.tls_cert,
        "--tls-key": endpoint.tls_key,
        "--namespace": common.keys.namespace,
        "--values": settings.values,
        "--min-replicas": str(settings.min_replicas or ""),
    }
    flags = {"--tls-insecure": endpoint.tls_insecure, "--overwrite": settings.overwrite}
    words = [word for name, value in options.items() if value for word in (name, value)]
    return shlex.join(["server-a", "run", *words, *(name for name, is_given in flags.items() if is_given)])
