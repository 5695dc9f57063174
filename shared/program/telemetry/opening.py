"""Opens the log and the telemetry of a program together: log lines name their trace, and trouble is said in the log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.endpoint.url import EndpointUrl
from shared.program.logs import open_log
from shared.program.options import CommonSettings
from shared.program.telemetry.objections import objections, variables_of
from shared.program.telemetry.switch import PROTOCOL, endpoint_variable, kinds_on, other_protocol
from shared.program.telemetry.telling import ConsumerTelemetry, ProducerTelemetry
from shared.program.warnings import tell_warning

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from shared.program.telemetry.export import Exporting

_EXPECTED, _ON_WITHOUT = "expected values that OpenTelemetry takes", "going on without telemetry"


@contextmanager
def producer_telemetry(common: CommonSettings) -> Iterator[tuple[ProducerTelemetry, FilteringBoundLogger]]:
    """Open server-a's telemetry, which tells nobody unless it is on, and its log, for the time of the block."""
    with _exporting(common) as exporting:
        if exporting is None:
            yield ProducerTelemetry(), open_log(common)
            return
        from shared.program.telemetry.produced import ToldProduction

        telemetry = ToldProduction(exporting.tracer, exporting.meter, _server(common.endpoint.url))
        yield telemetry, _log(common, telemetry, exporting)


@contextmanager
def consumer_telemetry(common: CommonSettings) -> Iterator[tuple[ConsumerTelemetry, FilteringBoundLogger]]:
    """Open server-b's telemetry, which tells nobody unless it is on, and its log, for the time of the block."""
    with _exporting(common) as exporting:
        if exporting is None:
            yield ConsumerTelemetry(), open_log(common)
            return
        from shared.program.telemetry.consumed import ToldConsumption

        telemetry = ToldConsumption(exporting.tracer, exporting.meter, _server(common.endpoint.url))
        yield telemetry, _log(common, telemetry, exporting)


@contextmanager
def _exporting(common: CommonSettings) -> Iterator[Exporting | None]:
    exporting = _open(common.endpoint.program)
    try:
        yield exporting
    finally:
        if exporting is not None:
            exporting.close()


def _open(program: str) -> Exporting | None:
    kinds = kinds_on(os.environ)
    if not kinds:
        return None
    for kind in kinds:
        if protocol := other_protocol(os.environ, kind):
            sentence = f"OTEL_EXPORTER_OTLP_PROTOCOL: expected {PROTOCOL}, got {protocol!r}; {_ON_WITHOUT}"
            tell_warning(program, sentence)
            return None
    with objections() as heard:
        exporting = _export(program, kinds)
    if exporting is not None and heard.texts:
        variables = variables_of(heard.texts, os.environ)
        tell_warning(program, f"{variables}: {_EXPECTED}; what it does not take counts as not set")
    return exporting


def _export(program: str, kinds: Sequence[str]) -> Exporting | None:
    try:
        from shared.program.telemetry.export import Exporting

        return Exporting(program, kinds)
    except ImportError:
        name, cure = endpoint_variable(os.environ, kinds[0]), "pip install 'redis-handover[otel]'"
        tell_warning(program, f"{name}: expected the packages of the extra otel, got none ({cure}); {_ON_WITHOUT}")
    except Exception as error:  # noqa: BLE001 - whatever a variable says, telemetry is not what the program is for
        variables, got = variables_of([str(error)], os.environ), type(error).__name__  # its text may hold a secret
        tell_warning(program, f"{variables}: {_EXPECTED}, got {got}; {_ON_WITHOUT}")
    return None


def _log(
    common: CommonSettings, telemetry: ProducerTelemetry | ConsumerTelemetry, exporting: Exporting
) -> FilteringBoundLogger:
    log = open_log(common, telemetry.log_ids)

    def warn(reason: str) -> None:
        cure = f"see {endpoint_variable(os.environ, kinds_on(os.environ)[0])}; the work goes on without it"
        log.warning("telemetry could not be sent", reason=reason, cure=cure)

    exporting.trouble.warn = warn
    exporting.begin()
    return log


def _server(url: EndpointUrl) -> dict[str, str | int]:
    """Return host and port that the URL names first, or the path of its socket."""
    from shared.program.telemetry.names import SERVER_ADDRESS, SERVER_PORT

    if url.path:
        return {SERVER_ADDRESS: url.path}
    host, port = url.hosts[0]
    return {SERVER_ADDRESS: host, SERVER_PORT: port}
