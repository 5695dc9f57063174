"""What server-a tells, as spans and metrics: a run, its segments, and the sending of its signals.

Segments are spans of their own that are sent as they end, with the run's id in each: the trace of a producer that was
killed, whose span of the run never ended, can be read all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, Tracer

from shared.program.telemetry import names
from shared.program.telemetry.spans import (
    Attributes,
    Outages,
    Spans,
    child_context,
    counter,
    histogram,
    mark_failed,
    traceparent_of,
    wall_ns,
)
from shared.program.telemetry.telling import ProducerTelemetry, Sends
from shared.record import RunRecord

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter


class ToldProduction(ProducerTelemetry):
    """Makes spans and metrics of what server-a tells."""

    is_on = True

    def __init__(self, tracer: Tracer, meter: Meter, server: Mapping[str, str | int]) -> None:
        self._spans = Spans(tracer, server)
        self._outages = Outages(meter)
        self._values, self._data = counter(meter, names.VALUES_WRITTEN), counter(meter, names.DATA_WRITTEN)
        self._attempts, self._lost = counter(meter, names.ATTEMPTS), counter(meter, names.LOST)
        self._rewritten, self._sent = counter(meter, names.REWRITTEN), counter(meter, names.SENT)
        self._send_s = histogram(meter, names.OPERATION_S)
        self._about: Attributes = {}  # the run
        self._run: Context = Context()
        self._segments: dict[int, SpanContext] = {}  # the spans of published segments whose signals are not sent

    def log_ids(self) -> Mapping[str, str]:
        """Return the ids of the run's span, or of that of a part of it."""
        return self._spans.log_ids()

    def outages_from(self, read: Callable[[], tuple[int, float]]) -> None:
        """Take the function that returns outages."""
        self._outages.read_from(read)

    @contextmanager
    def run(self, record: RunRecord, *, is_resumed: bool) -> Iterator[None]:
        """Have a trace of a run in the block."""
        self._about = {names.RUN_ID: record.run_id}
        facts: Attributes = {names.COUNT: record.count, names.SEGMENTS: record.segments, names.IS_RESUMED: is_resumed}
        span = self._spans.start("run", self._about | facts, context=Context())
        self._run = child_context(span.get_span_context())
        self._segments = {}
        with self._spans.held(span):
            yield

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Have a span of a part of the run in the block."""
        with self._spans.held(self._spans.start(name, dict(self._about), context=self._run)):
            yield

    def attempt_begun(self) -> None:
        """Count an attempt."""
        self._attempts.add(1)

    def attempt_lost(self, segment: int, *, began_s: float | None, error: Exception) -> None:
        """Make a span of an attempt that failed."""
        span = self._segment(segment, began_s)
        mark_failed(span, type(error).__name__)
        span.end()

    def published(self, segment: int, *, began_s: float, ended_s: float, values: int, value_bytes: int) -> None:
        """Make a span of a segment, and count its values."""
        span = self._segment(segment, began_s)
        span.set_attribute(names.COUNT, values)
        span.end(wall_ns(ended_s))
        self._segments[segment] = span.get_span_context()
        self._values.add(values)
        self._data.add(value_bytes)

    def _segment(self, segment: int, began_s: float | None) -> Span:
        about: Attributes = {**self._about, names.SEGMENT: segment}
        return self._spans.start("segment", about, context=self._run, began_s=began_s)

    @contextmanager
    def sending(self, segments: Iterable[int]) -> Iterator[Sends]:
        """Make a span for each signal, which B's are linked to."""
        began_s, attributes = time.monotonic(), self._spans.messaging(names.SEND)
        sends = _ToldSends({number: self._send(number, attributes) for number in segments})
        kind = ""
        try:
            yield sends
        except BaseException as error:
            kind = type(error).__name__
            raise
        finally:
            failed: Attributes = {names.ERROR_TYPE: kind} if kind else {}
            sends.end(kind)
            self._send_s.record(time.monotonic() - began_s, attributes | failed)
            self._sent.add(len(sends.spans), attributes | failed)

    def _send(self, number: int, attributes: Attributes) -> Span:
        about: Attributes = {**attributes, **self._about, names.SEGMENT: number}
        segment = self._segments.pop(number, None)
        context = self._run if segment is None else child_context(segment)
        return self._spans.start(f"send {names.DESTINATION}", about, context=context, kind=SpanKind.PRODUCER)

    def lost(self, *, values: int, segments: int) -> None:
        """Count what the audit has found missing."""
        self._lost.add(values)
        self._rewritten.add(segments)


class _ToldSends(Sends):
    """The spans of signals, by segment."""

    def __init__(self, spans: Mapping[int, Span]) -> None:
        self.spans = spans

    def traceparent(self, segment: int) -> str:
        """Return what names the span of a signal."""
        return traceparent_of(self.spans[segment])

    def sent(self, ids: Mapping[int, str]) -> None:
        """Note the stream IDs."""
        for number, entry_id in ids.items():
            self.spans[number].set_attribute(names.MESSAGING_MESSAGE, entry_id)

    def end(self, kind: str) -> None:
        """End all spans, with the kind of the error that ended the sending, if one did."""
        for span in self.spans.values():
            if kind:
                mark_failed(span, kind)
            span.end()
