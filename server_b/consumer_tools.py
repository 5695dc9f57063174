"""What the consumer and the follower both work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_b.pulse import Pulse
from server_b.reporting import Reporting
from server_b.run_progress import RunProgress
from server_b.segment_examiner import SegmentExaminer
from shared.endpoint.patience import Patience
from shared.errors import ConnectionLostError, NotFinishedError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class ConsumerTools:
    """The actors that one execution of `server-b run` has opened."""

    pulse: Pulse
    patience: Patience
    reporting: Reporting
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger

    @property
    def is_over(self) -> bool:
        """Whether `--once` has its run, or a stop was requested."""
        return self.reporting.is_done or self.pulse.is_stop_requested

    def wait_out(self, error: ConnectionLostError) -> None:
        """Wait a fault out, unless nothing is left to do; a stop request ends the wait as it ends serving.

        Raises:
            EndpointUnreachableError: Patience is at its end and nobody answered.
            NotFinishedError: It is at its end though a server answered.
        """
        try:
            if not self.is_over:
                self.patience.wait_out(error)
        except NotFinishedError:
            if not self.pulse.is_stop_requested:
                raise
