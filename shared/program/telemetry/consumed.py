"""What server-b tells, as spans and metrics: the processing of each delivery, and how it was settled.

A delivery's span belongs to the trace of the run that sent the signal, and has a link to the span that sent it: the
conventions ask for the link, and with the parent one trace goes from the run to the verdict. An entry that is delivered
again, to whomever, gets a span and a link of its own each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, Tracer, set_span_in_context

from shared.errors import InvalidInputError
from shared.fields import decode_traceparent
from shared.program.telemetry import names
from shared.program.telemetry.spans import (
    Attributes,
    Outages,
    Spans,
    child_context,
    context_of,
    counter,
    histogram,
    mark_failed,
)
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter


class ToldConsumption(ConsumerTelemetry):
    """Makes spans and metrics of what server-b tells."""

    is_on = True

    def __init__(self, tracer: Tracer, meter: Meter, server: Mapping[str, str | int]) -> None:
        self._spans = Spans(tracer, server)
        self._outages = Outages(meter)
        self._values, self._data = counter(meter, names.VALUES_READ), counter(meter, names.DATA_READ)
        self._examined, self._lag = counter(meter, names.EXAMINED), histogram(meter, names.LAG)
        for verdict in (VERIFIED, FAILED, SUPERSEDED):
            self._examined.add(0, {names.VERDICT: verdict})
        self._claims, self._dead = counter(meter, names.CLAIMS), counter(meter, names.DEAD_LETTERS)
        self._pending = meter.create_gauge(names.PENDING.name, names.PENDING.unit, names.PENDING.text)
        self._consumed, self._process_s = counter(meter, names.CONSUMED), histogram(meter, names.PROCESS_S)
        self._settle_s = histogram(meter, names.OPERATION_S)
        self._process: Span | None = None

    def log_ids(self) -> Mapping[str, str]:
        """Return the ids of the span of the entry in hand."""
        return self._spans.log_ids()

    def outages_from(self, read: Callable[[], tuple[int, float]]) -> None:
        """Take the function that returns outages."""
        self._outages.read_from(read)

    @contextmanager
    def process(
        self, entry_id: str, traceparent: bytes, *, delivered_s: float, is_claimed: bool = False
    ) -> Iterator[None]:
        """Have a span of a delivery in the block."""
        attributes, sender = self._spans.messaging(names.PROCESS), _sender(traceparent)
        about: Attributes = {**attributes, names.MESSAGING_MESSAGE: entry_id, names.IS_CLAIMED: is_claimed}
        context, links = (child_context(sender), [sender]) if sender is not None else (Context(), [])
        span = self._process = self._spans.start(
            f"process {names.DESTINATION}",
            about,
            context=context,
            kind=SpanKind.CONSUMER,
            began_s=delivered_s,
            links=links,
        )
        kind = ""
        self._consumed.add(1, attributes)
        try:
            with self._spans.held(span):
                yield
        except BaseException as error:
            kind = type(error).__name__
            raise
        finally:
            self._process = None
            failed: Attributes = {names.ERROR_TYPE: kind} if kind else {}
            duration_s = time.monotonic() - delivered_s
            self._process_s.record(duration_s, attributes | failed, set_span_in_context(span))

    def decoded(self, signal: Signal, *, deliveries: int) -> None:
        """Say what the entry in hand announces."""
        if self._process is not None:
            about: Attributes = {
                names.RUN_ID: signal.run_id,
                names.SEGMENT: signal.segment,
                names.SEGMENTS: signal.segments,
            }
            self._process.set_attributes({**about, names.COUNT: signal.count, names.DELIVERIES: deliveries})

    @contextmanager
    def settle(self, outcome: str) -> Iterator[None]:
        """Have a span of an acknowledgement in the block, and note the outcome in the delivery's."""
        began_s, attributes = time.monotonic(), self._spans.messaging(names.SETTLE)
        about: Attributes = {**attributes, names.OUTCOME: outcome}
        context = set_span_in_context(self._process) if self._process is not None else Context()
        span = self._spans.start(f"settle {names.DESTINATION}", about, context=context, kind=SpanKind.CLIENT)
        with self._spans.held(span):
            yield
        self._settle_s.record(time.monotonic() - began_s, attributes, set_span_in_context(span))
        if self._process is not None:
            self._process.set_attribute(names.OUTCOME, outcome)

    def read(self, *, values: int, value_bytes: int) -> None:
        """Count what was read."""
        self._values.add(values)
        self._data.add(value_bytes)

    def examined(self, verdict: SegmentVerdict) -> None:
        """Count a verdict and its lag, which names the trace as its exemplar."""
        self._examined.add(1, {names.VERDICT: verdict.verdict})
        self._lag.record(verdict.lag_ms / 1_000)
        if self._process is not None:
            self._process.set_attribute(names.VERDICT, verdict.verdict)
            if verdict.verdict == FAILED:
                mark_failed(self._process, "verification_failed")

    def dead_letter(self) -> None:
        """Count a dead letter."""
        self._dead.add(1)
        if self._process is not None:
            mark_failed(self._process, "dead_letter")

    def claimed(self) -> None:
        """Count a claim."""
        self._claims.add(1)

    def pending(self, entries: int) -> None:
        """Note how many entries are pending."""
        self._pending.set(entries)


def _sender(traceparent: bytes) -> SpanContext | None:
    """Return the span that an entry says has sent it; also of one that is no valid signal else."""
    try:
        return context_of(decode_traceparent("signal", traceparent))
    except InvalidInputError:
        return None
