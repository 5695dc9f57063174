"""One execution of `server-a run`, from the endpoint's first answer to the summary."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from server_a.producer import Producer
from server_a.run_context import RunContext
from server_a.run_record import new_record, read_record, source_of
from server_a.settings import RunSettings, RunSummary
from server_a.shop_writer import check_shop_size
from server_a.verdict_wait import await_verdict
from shared.command_line import CommonSettings
from shared.endpoint.client import Endpoint, open_endpoint
from shared.endpoint.patience import Patience
from shared.endpoint.settings import DEFAULT_URL
from shared.endpoint.url import parse_url
from shared.endpoint.wires import PatientWires
from shared.errors import EndpointUnreachableError, HandoverError, NotFinishedError, SupersededError, WrongEndpointError
from shared.progress import Progress
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
            names = [run.segment_key(1), run.segment_key(run.record.segments)]
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
        finished: dict[int, str] = {}
        if settings.resume is None:
            check_shop_size(**settings.shop_size())
            source = stack.enter_context(closing(source_of(settings, None, self._stop)))
            endpoint = self._open_primary(endpoints)
            patience = self._patience(endpoint)
            record = patience.keep_trying(lambda: new_record(endpoint, keys, settings, source))
        else:
            endpoint = self._open_primary(endpoints)
            patience = self._patience(endpoint)
            record, finished = patience.keep_trying(lambda: read_record(endpoint, keys, settings))
            source = stack.enter_context(closing(source_of(settings, record, self._stop)))
        return RunContext(
            endpoint=endpoint,
            keys=keys,
            settings=settings,
            record=record,
            source=source,
            wires=stack.enter_context(closing(PatientWires(endpoint, patience))),
            stop=self._stop,
            log=self._log,
            progress=stack.enter_context(Progress("Writing", record.count)),
            finished_signals=finished,
        )

    def _patience(self, endpoint: Endpoint) -> Patience:
        return Patience(
            self._settings.patience_s,
            self._stop,
            on_outage=lambda error: self._log.warning("endpoint lost, trying again", reason=str(error)),
            refresh=endpoint.refresh,
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
    endpoint = common.endpoint
    options = {
        "--resume": run_id,
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
