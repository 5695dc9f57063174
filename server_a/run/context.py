"""What all actors of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_a.run.new_run import KnownRun
from server_a.run.settings import RunSettings
from server_a.run.values import ValueSource
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.segments import SegmentRange, segment_range

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from shared.program.progress import Progress
    from shared.stopping import StopRequest


@dataclass(frozen=True)
class RunContext:
    """One run and what it works with.

    Attributes:
        clock: The clock of the server that holds the stream.
        known: What is known of a run that is resumed; None for a new one.
    """

    endpoint: Endpoint
    keys: Keyspace
    settings: RunSettings
    record: RunRecord
    source: ValueSource
    retry: Retry
    clock: ServerClock
    stop: StopRequest
    log: FilteringBoundLogger
    progress: Progress
    known: KnownRun | None

    def segment_range(self, number: int) -> SegmentRange:
        """Return which values a segment holds."""
        return segment_range(number, count=self.record.count, segment_values=self.record.segment_values)

    def check_stop(self) -> None:
        """End the run where it is, if somebody asked for it.

        Raises:
            NotFinishedError: A stop was requested.
        """
        if self.stop.is_requested:
            raise NotFinishedError(where=f"run {self.record.run_id}", expected="to finish", got="a stop request")
