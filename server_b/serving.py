"""When serving is over, and how long faults are endured: the same in the group and while following."""

from __future__ import annotations

import time
from dataclasses import dataclass

from server_b.report.once import Reports
from shared.endpoint.retry import Retry
from shared.errors import NotFinishedError, TransientError
from shared.stopping import StopRequest

MAX_FAULTS = 100
MAX_FAULTS_S = 60.0


@dataclass
class Serving:
    """Tells when serving ends: at a stop request, or when `--once` has its run."""

    stop: StopRequest
    retry: Retry
    reports: Reports

    @property
    def is_over(self) -> bool:
        """Whether `--once` has its run, or a stop was requested."""
        return self.reports.final is not None or self.stop.is_requested

    def wait_out(self, error: TransientError) -> None:
        """Pause after a fault, unless serving is over; a stop request ends the pause. Raises like `Retry.wait_out`."""
        try:
            if not self.is_over:
                self.retry.wait_out(error)
        except NotFinishedError:
            if not self.stop.is_requested:
                raise


class Faults(dict[str, tuple[int, float]]):
    """How often a lost connection ended the work on each entry, by id, and since when.

    `Retry` alone would go on for ever: it counts from the last successful reply, and each chunk is one.
    """

    def note(self, entry_id: str) -> bool:
        """Count a fault; return whether there were 100 over more than a minute."""
        number, since = self.get(entry_id, (0, time.monotonic()))
        self[entry_id] = number + 1, since
        return number + 1 >= MAX_FAULTS and time.monotonic() - since >= MAX_FAULTS_S
