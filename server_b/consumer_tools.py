"""What the consumer and the follower both work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_b.lease import Lease
from server_b.report.once import Reporting
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.progress import RunProgress
from shared.endpoint.retry import Retry
from shared.errors import NotFinishedError, TransientError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass(frozen=True)
class ConsumerTools:
    """The actors that one execution of `server-b run` has opened."""

    lease: Lease
    retry: Retry
    reporting: Reporting
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger

    @property
    def is_over(self) -> bool:
        """Whether `--once` has its run, or a stop was requested."""
        return self.reporting.is_done or self.lease.is_stop_requested

    def wait_out(self, error: TransientError) -> None:
        """Wait a fault out, unless nothing is left to do; a stop request ends the wait as it ends serving.

        Raises:
            EndpointUnreachableError: It has lasted for too long and nobody answered.
            NotFinishedError: It has, though a server answered.
        """
        try:
            if not self.is_over:
                self.retry.wait_out(error)
        except NotFinishedError:
            if not self.lease.is_stop_requested:
                raise
