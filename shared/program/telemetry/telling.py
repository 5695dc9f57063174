"""What the two programs tell of their work. These classes tell nobody: telemetry is off unless a receiver is named.

The stories call them by what has happened and know nothing of spans and metrics; `produced` and `consumed` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

from shared.record import RunRecord
from shared.signal import Signal
from shared.verdict import SegmentVerdict


class Telemetry:
    """What both programs tell."""

    is_on = False  # whether anybody is told; what costs a round trip is asked for only then

    def log_ids(self) -> Mapping[str, str]:
        """Return what a log line says of the trace it belongs to."""
        return {}

    def outages_from(self, read: Callable[[], tuple[int, float]]) -> None:
        """Take a function that returns how many outages there were and their seconds; any thread may call it."""


class Sends:
    """Signals that are being sent."""

    def traceparent(self, segment: int) -> str:
        """Return what the signal of a segment says of its trace; an empty text for nothing."""
        return ""

    def sent(self, ids: Mapping[int, str]) -> None:
        """Note the stream IDs of signals by segment."""


class ProducerTelemetry(Telemetry):
    """What server-a tells."""

    def run(self, record: RunRecord, *, is_resumed: bool) -> AbstractContextManager[None]:
        """Carry out a run in the block."""
        return nullcontext()

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Carry out a part of the run in the block that is about no single segment; also after the run has ended."""
        return nullcontext()

    def attempt_begun(self) -> None:
        """Tell of an attempt at a segment."""

    def attempt_lost(self, segment: int, *, began_s: float | None, error: Exception) -> None:
        """Tell of an attempt that failed; it began at a moment of this host's monotonic clock, if it sent anything."""

    def published(self, segment: int, *, began_s: float, ended_s: float, values: int, value_bytes: int) -> None:
        """Tell of a segment that is written and published."""

    def sending(self, segments: Iterable[int]) -> AbstractContextManager[Sends]:
        """Send the signals of segments in the block."""
        return nullcontext(Sends())

    def lost(self, *, values: int, segments: int) -> None:
        """Tell how many acknowledged values were gone, and how many segments are written again."""


class ConsumerTelemetry(Telemetry):
    """What server-b tells; it processes one entry at a time."""

    def process(
        self, entry_id: str, traceparent: bytes, *, delivered_s: float, is_claimed: bool = False
    ) -> AbstractContextManager[None]:
        """Process an entry in the block; it was delivered at a moment of this host's monotonic clock."""
        return nullcontext()

    def decoded(self, signal: Signal, *, deliveries: int) -> None:
        """Tell what signal the entry in hand holds, and how often it was delivered."""

    def settle(self, outcome: str) -> AbstractContextManager[None]:
        """Acknowledge the entry in hand in the block, with what came of it."""
        return nullcontext()

    def read(self, *, values: int, value_bytes: int) -> None:
        """Tell how much the reading that led to a verdict has read."""

    def examined(self, verdict: SegmentVerdict) -> None:
        """Tell of a verdict that stands now."""

    def dead_letter(self) -> None:
        """Tell of an entry that has become a dead letter."""

    def claimed(self) -> None:
        """Tell of an entry that was claimed from another consumer."""

    def pending(self, entries: int) -> None:
        """Tell how many entries are pending in the group."""
