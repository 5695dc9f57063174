"""A receiver of OTLP over HTTP: a real server that decodes what the programs send by OpenTelemetry's own definition."""

from __future__ import annotations

import gzip
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.stage.certificates import Certificate
from tests.stage.waiting import wait_until

Attributes = dict[str, Any]


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it was received."""

    service: str
    name: str
    kind: int  # as protobuf numbers them: 1 internal, 3 client, 4 producer, 5 consumer
    trace_id: str
    span_id: str
    parent_id: str
    links: list[tuple[str, str]]  # trace and span
    attributes: Attributes
    is_error: bool
    began_ns: int
    ended_ns: int


@dataclass
class OtlpReceiver:
    """Holds what was received; `answer` is the status it answers with, None to let whoever sends wait."""

    answer: int | None = 200
    port: int = 0
    origin: str = "http://127.0.0.1"  # without the port
    bodies: list[bytes] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    resources: list[Attributes] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)  # by path
    _metrics: dict[tuple[str, str, str], Any] = field(default_factory=dict)  # the newest by instance, service, metric
    _units: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    released: Event = field(default_factory=Event)

    @property
    def env(self) -> dict[str, str]:
        """The variables that name this receiver."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.origin}:{self.port}"}

    def take(self, path: str, body: bytes) -> None:
        """Decode a request."""
        with self._lock:
            self.requests[path] += 1
            self.bodies.append(body)
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    self._take_spans(resource)
            elif path == "/v1/metrics":
                for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                    self._take_metrics(resource)

    def _take_spans(self, resource: Any) -> None:
        about = attributes_of(resource.resource.attributes)
        self.resources.append(about)
        for scope in resource.scope_spans:
            for span in scope.spans:
                links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                attributes, is_error = attributes_of(span.attributes), span.status.code == 2
                times = (span.start_time_unix_nano, span.end_time_unix_nano)
                found = (about["service.name"], span.name, span.kind, *ids, links, attributes, is_error, *times)
                self.spans.append(ReceivedSpan(*found))

    def _take_metrics(self, resource: Any) -> None:
        about = attributes_of(resource.resource.attributes)
        self.resources.append(about)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                key = (about["service.instance.id"], about["service.name"], metric.name)
                self._metrics[key] = metric
                self._units[metric.name] = metric.unit

    def metric_names(self) -> dict[str, tuple[str, str]]:
        """Return kind and unit of each metric by name."""
        return {name: (metric.WhichOneof("data"), metric.unit) for (_, _, name), metric in self._metrics.items()}

    def points(self, service: str, name: str) -> list[tuple[Attributes, Any]]:
        """Return the newest points of a metric, of all processes of a service."""
        found = []
        for (_, of, metric_name), metric in self._metrics.items():
            if (of, metric_name) == (service, name):
                points = getattr(metric, metric.WhichOneof("data")).data_points
                found += [(attributes_of(point.attributes), point) for point in points]
        return found

    def total(self, service: str, name: str, **wanted: str) -> float:
        """Return the sum of a metric's newest points over all processes of a service; of a histogram its sum."""
        total = 0.0
        for attributes, point in self.points(service, name):
            if all(attributes.get(key.replace("__", ".")) == value for key, value in wanted.items()):
                if hasattr(point, "bucket_counts"):
                    total += point.sum
                else:
                    total += point.as_int or point.as_double
        return total

    def named(self, name: str, service: str = "") -> list[ReceivedSpan]:
        """Return all spans of a name, in the order of their beginning."""
        found = [span for span in self.spans if span.name == name and service in ("", span.service)]
        return sorted(found, key=lambda span: span.began_ns)

    def wait_for(self, name: str, count: int = 1) -> list[ReceivedSpan]:
        """Wait until so many spans of a name have come."""
        wait_until(lambda: len(self.named(name)) >= count, description=f"{count} spans named {name}")
        return self.named(name)


def attributes_of(pairs: Any) -> Attributes:
    """Return attributes as Python values."""
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: Any) -> Any:
    kind = pair.value.WhichOneof("value")
    return getattr(pair.value, kind) if kind else None


@contextmanager
def otlp_receiver(answer: int | None = 200, *, certificate: Certificate | None = None) -> Iterator[OtlpReceiver]:
    """Serve a receiver on a port of its own during the block; over TLS as `localhost` with a certificate of that."""
    receiver = OtlpReceiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.take(self.path, body)
            if receiver.answer is None:
                receiver.released.wait(60)
                self.close_connection = True
                return
            self.send_response(receiver.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key_file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        receiver.origin = "https://localhost"
    receiver.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
