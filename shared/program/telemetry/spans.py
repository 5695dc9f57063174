"""What the spans and metrics of both programs have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    format_span_id,
    format_trace_id,
    set_span_in_context,
    use_span,
)

from shared.program.telemetry import names

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, Histogram, Meter

Attributes = dict[str, str | int | bool]


class Outages:
    """Tells how many outages there were; what is told never falls, though several runs are added up."""

    def __init__(self, meter: Meter) -> None:
        self._read: Callable[[], tuple[int, float]] = lambda: (0, 0.0)
        self._most: tuple[int, float] = (0, 0.0)
        for place, metric in enumerate((names.OUTAGES, names.OUTAGE_S)):
            callback = self._count if place == 0 else self._seconds
            meter.create_observable_counter(metric.name, [callback], metric.unit, metric.text)

    def read_from(self, read: Callable[[], tuple[int, float]]) -> None:
        """Take the function that returns them."""
        self._read = read

    def _now(self) -> tuple[int, float]:
        count, seconds = self._read()
        self._most = max(self._most[0], count), max(self._most[1], seconds)
        return self._most

    def _count(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._now()[0])]

    def _seconds(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(self._now()[1])]


class Spans:
    """Makes spans, and knows the one in hand, which log lines name; also those of threads that help with it."""

    def __init__(self, tracer: Tracer, server: Mapping[str, str | int]) -> None:
        self._tracer = tracer
        self._server = dict(server)
        self.in_hand: Span | None = None

    def messaging(self, kind: str, **more: str | int | bool) -> Attributes:
        """Return the attributes that the messaging conventions ask for."""
        found: Attributes = {
            names.MESSAGING_SYSTEM: names.SYSTEM,
            names.MESSAGING_OPERATION: kind,
            names.MESSAGING_TYPE: kind,
            names.MESSAGING_DESTINATION: names.DESTINATION,
            **self._server,
        }
        if kind != names.SEND:
            found[names.MESSAGING_GROUP] = names.GROUP
        return found | more

    def start(
        self,
        name: str,
        attributes: Attributes,
        *,
        context: Context,
        kind: SpanKind = SpanKind.INTERNAL,
        began_s: float | None = None,
        links: Iterable[SpanContext] = (),
    ) -> Span:
        """Start a span, now or at a moment of this host's monotonic clock."""
        from opentelemetry.trace import Link

        return self._tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=[Link(each) for each in links],
            start_time=wall_ns(began_s) if began_s is not None else None,
        )

    @contextmanager
    def held(self, span: Span) -> Iterator[Span]:
        """Have a span in hand during the block, and end it with the block."""
        before, self.in_hand = self.in_hand, span
        try:
            # what an error says may hold a value or a key, so the SDK is not to record it
            with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
                yield span
        except BaseException as error:
            mark_failed(span, type(error).__name__)
            raise
        finally:
            self.in_hand = before
            span.end()

    def log_ids(self) -> dict[str, str]:
        """Return the ids of the span in hand."""
        if self.in_hand is None:
            return {}
        context = self.in_hand.get_span_context()
        if not context.is_valid:  # of a no-op tracer
            return {}
        return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}


def counter(meter: Meter, metric: names.Metric) -> Counter:
    """Return a counter that is there from the start, with 0."""
    made = meter.create_counter(metric.name, metric.unit, metric.text)
    if metric is not names.EXAMINED and not metric.name.startswith("messaging."):  # these have attributes
        made.add(0)
    return made


def histogram(meter: Meter, metric: names.Metric) -> Histogram:
    """Return a histogram of seconds."""
    boundaries = names.BOUNDARIES[metric.name]
    return meter.create_histogram(metric.name, metric.unit, metric.text, explicit_bucket_boundaries_advisory=boundaries)


def mark_failed(span: Span, kind: str) -> None:
    """Say that what a span stands for has failed, and by what kind of error; never the error's text."""
    span.set_attribute(names.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def wall_ns(monotonic_s: float) -> int:
    """Return a moment of this host's monotonic clock in nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - monotonic_s) * 1_000_000_000)


def traceparent_of(span: Span) -> str:
    """Return what W3C's traceparent says of a span; an empty text for one of a no-op tracer."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{int(context.trace_flags):02x}"


def context_of(traceparent: str) -> SpanContext:
    """Return the span that a traceparent names, which was checked."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def child_context(parent: SpanContext) -> Context:
    """Return the context of children of a span."""
    return set_span_in_context(NonRecordingSpan(parent))
