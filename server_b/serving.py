"""When serving is over, and how a fault is waited out: the same for whoever shares the group and whoever follows."""

from __future__ import annotations

from server_b.lease import Lease
from server_b.report.once import Reports
from shared.endpoint.retry import Retry
from shared.errors import NotFinishedError, TransientError


class Serving:
    """Ends with a stop request, or with the run that `--once` waits for."""

    def __init__(self, lease: Lease, retry: Retry, reports: Reports) -> None:
        """Serve until one of them says that it is over."""
        self._lease = lease
        self._retry = retry
        self._reports = reports

    @property
    def is_over(self) -> bool:
        """Whether `--once` has its run, or a stop was requested."""
        return self._reports.is_done or self._lease.is_stop_requested

    def wait_out(self, error: TransientError) -> None:
        """Wait a fault out, unless nothing is left to do; a stop request ends the wait as it ends serving.

        Raises:
            EndpointUnreachableError: It has lasted for too long and nobody answered.
            NotFinishedError: It has, though a server answered.
        """
        try:
            if not self.is_over:
                self._retry.wait_out(error)
        except NotFinishedError:
            if not self._lease.is_stop_requested:
                raise
