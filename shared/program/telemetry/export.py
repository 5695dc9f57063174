"""Sends spans and metrics over HTTP, in threads of OpenTelemetry's SDK, and never in a program's way.

What can't be sent is lost, with one warning a process. The SDK's exporters log each failure themselves; that is kept
from stderr and listened to, because their results don't say why.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import requests
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider

from shared import __version__
from shared.program.telemetry.names import SCHEMA_URL
from shared.program.telemetry.switch import METRICS, TRACES

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

SCHEDULE_DELAY_MS = 500  # the SDK's is 5 s: what a killed program did last would be missing
CLOSE_S = 2.0
_SCOPE = "redis-handover"
_SPANS, _METRICS = "trace_exporter", "metric_exporter"  # their modules
_HIDDEN = ("process.command", "process.command_line", "process.command_args")  # a URL there may hold a password


class RedirectedError(Exception):
    """A receiver is elsewhere; the text says with which status it said so."""


class _Session(requests.Session):
    """Sends what the SDK's exporters give it, with two faults of theirs mended."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks["response"].append(_refuse_redirection)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Verify by OTEL_EXPORTER_OTLP_CERTIFICATE, also where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is set.

        The SDK makes it the session's `verify`, before which requests takes these variables, unless it is given with
        the request.

        Source: https://github.com/psf/requests/issues/3829
        """
        return super().request(*args, **{"verify": self.verify} | kwargs)


def _refuse_redirection(response: requests.Response, **_: object) -> None:
    """Raise for a redirection; the SDK's exporters neither follow one nor call it a failure."""
    if response.status_code >= 300 and response.status_code < 400:
        raise RedirectedError(f"HTTP status {response.status_code}")


class Trouble(logging.Handler):
    """Takes what OpenTelemetry logs; of all failures to send, `warn` gets the first."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warn: Callable[[str], None] = lambda _reason: None
        self.on_retry: Callable[[str], None] | None = None  # called with the exporter's name, once closing has begun
        self.retrying: set[str] = set()  # exporters that wait before they try again
        self._reason = "no answer in time"
        self._once = Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember the kind of a failure; its text may hold a URL with a password."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        statuses = [f"HTTP status {each}" for each in arguments if type(each) is int and each >= 300]
        errors = [each for each in arguments if isinstance(each, Exception)]
        kinds = [str(each) if isinstance(each, RedirectedError) else type(each).__name__ for each in errors]
        self._reason = next(iter(statuses + kinds), self._reason)
        if record.levelno == logging.WARNING:
            exporter = record.name.rpartition(".")[2]  # loggers are named after their modules
            self.retrying.add(exporter)
            if self.on_retry is not None:
                self.on_retry(exporter)

    def note(self, exporter: str, *, is_sent: bool) -> None:
        """Note how an exporter's tries have ended."""
        self.retrying.discard(exporter)
        if not is_sent and self._once.acquire(blocking=False):
            self.warn(self._reason)


class _SpanExporter(OTLPSpanExporter):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(session=_Session())
        self._trouble = trouble

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._trouble.note(_SPANS, is_sent=result is SpanExportResult.SUCCESS)
        return result


class _MetricExporter(OTLPMetricExporter):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(session=_Session())
        self._trouble = trouble

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._trouble.note(_METRICS, is_sent=result is MetricExportResult.SUCCESS)
        return result


class Exporting:
    """A tracer and a meter that send to the receivers that the OTEL_* variables name; no-op ones where none is."""

    def __init__(self, program: str, kinds: Sequence[str]) -> None:
        self.trouble = Trouble()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self.trouble)
        logger.propagate = False
        resource = _resource(program)
        self._providers: list[TracerProvider | MeterProvider] = []
        self._exporters: dict[str, _SpanExporter | _MetricExporter] = {}
        self.tracer: Tracer = NoOpTracerProvider().get_tracer(_SCOPE)
        self.meter: Meter = NoOpMeterProvider().get_meter(_SCOPE)
        if TRACES in kinds:
            self.tracer = self._traces(resource)
        if METRICS in kinds:
            self.meter = self._metrics(resource)

    def _traces(self, resource: Resource) -> Tracer:
        self._exporters[_SPANS] = exporter = _SpanExporter(self.trouble)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        delay_ms = None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY") else SCHEDULE_DELAY_MS
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=delay_ms))
        self._providers.append(provider)
        return provider.get_tracer(_SCOPE, __version__, schema_url=SCHEMA_URL)

    def _metrics(self, resource: Resource) -> Meter:
        self._exporters[_METRICS] = exporter = _MetricExporter(self.trouble)
        provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(provider)  # redis-py's own metrics go there, if somebody switches them on
        self._providers.append(provider)
        return provider.get_meter(_SCOPE, __version__, schema_url=SCHEMA_URL)

    def begin(self) -> None:
        """Send the counters as they start, with 0: from one point alone nobody can tell an increase."""
        for provider in self._providers:
            if isinstance(provider, MeterProvider):
                Thread(target=provider.force_flush, name="first metrics", daemon=True).start()

    def close(self) -> None:
        """Send what is left, for two seconds at most, and end all threads that have not ended by then with us."""
        self.trouble.on_retry = self._give_up
        for exporter in [*self.trouble.retrying]:
            self._give_up(exporter)
        threads = [Thread(target=each.shutdown, name="last telemetry", daemon=True) for each in self._providers]
        until_s = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self.trouble.note("", is_sent=False)

    def _give_up(self, name: str) -> None:
        """End an exporter that waits before it tries again."""
        exporter = self._exporters.pop(name, None)  # once: the second time it logs that as well
        if exporter is not None:
            exporter.shutdown()


def _resource(program: str) -> Resource:
    """Return who we are; what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say stands."""
    said = {name: value for name, value in Resource.create().attributes.items() if name not in _HIDDEN}
    if str(said.get("service.name", "unknown_service")).startswith("unknown_service"):
        said["service.name"] = program
    return Resource({"service.version": __version__, "service.instance.id": str(uuid4())} | said)
