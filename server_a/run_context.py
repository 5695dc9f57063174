"""What all actors of one run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_a.settings import RunSettings
from server_a.values import ValueSource
from shared.endpoint.client import Endpoint
from shared.endpoint.wires import PatientWires
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.run_signal import RunRecord
from shared.segments import SegmentRange, segment_range

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from shared.progress import Progress
    from shared.stopping import StopRequest


@dataclass(frozen=True)
class RunContext:
    """One run and what it works with.

    Attributes:
        finished_signals: Of a run that had finished before and is resumed: stream ids of its signals, by segment.
    """

    endpoint: Endpoint
    keys: Keyspace
    settings: RunSettings
    record: RunRecord
    source: ValueSource
    wires: PatientWires
    stop: StopRequest
    log: FilteringBoundLogger
    progress: Progress
    finished_signals: Mapping[int, str]

    def segment_key(self, number: int) -> str:
        """Return the key a segment is published under."""
        return self.keys.segment(number)

    def segment_range(self, number: int) -> SegmentRange:
        """Return which values a segment holds."""
        return segment_range(number, count=self.record.count, segment_values=self.record.segment_values)

    def keep_trying(self, operation: Callable[[], None]) -> None:
        """Carry out an operation that bears repetition, through outages, unless a stop was requested."""
        self.check_stop()
        self.wires.patience.keep_trying(operation)

    def check_stop(self) -> None:
        """End the run where it is, if somebody asked for it.

        Raises:
            NotFinishedError: A stop was requested.
        """
        if self.stop.is_requested:
            raise NotFinishedError(where=f"run {self.record.run_id}", expected="to finish", got="a stop request")
