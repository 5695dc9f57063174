"""When serving is over, and how long faults are endured: the same in the group and while following."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_b.lease import Lease, touch_heartbeat
from server_b.report.once import Reports
from server_b.settings import ConsumerSettings
from shared.endpoint.opening import Endpoint, open_when_ready
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.errors import NotFinishedError, TransientError
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

RETRY_S = 60.0
MAX_FAULTS = 10
MAX_FAULTS_S = 60.0
FIRST_BACK_OFF_S = 0.05
BACK_OFF_GROWTH = 1.3
LONGEST_BACK_OFF_S = 5.0


def open_for_serving(
    endpoint: EndpointSettings, settings: ConsumerSettings, stop: StopRequest, log: FilteringBoundLogger
) -> Endpoint | None:
    """Return the endpoint, as soon as it is ready; None if a stop request ended the waiting of one that serves.

    Raises:
        EndpointUnreachableError: Nobody answers.
        NotFinishedError: It was not ready in time, or a stop ended the waiting with `--once`.
    """

    def beat() -> None:
        if settings.heartbeat_file:
            touch_heartbeat(settings.heartbeat_file)

    def tell(error: TransientError) -> None:
        log.warning("endpoint not ready, trying again", reason=str(error))

    limit_s = RETRY_S if settings.wait_s is None else min(RETRY_S, settings.wait_s)
    beat()
    try:
        return open_when_ready(endpoint, Retry(limit_s, stop, on_outage=tell, refresh=beat))
    except NotFinishedError:
        if settings.is_once or not stop.is_requested:
            raise
        return None


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

    def back_off(self, error: TransientError, faults: Faults, lease: Lease) -> None:
        """Pause before an entry is read again whose reading was cut more than once, longer each time.

        What is cut once is read again even if the time of `--wait-s` is over, since it may only take longer than that.

        Raises WaitOverError, with the reason of the cuts.
        """
        if not faults:
            lease.check_wait()
        if faults.most < 2:
            return
        pause_s = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * BACK_OFF_GROWTH ** (faults.most - 2))
        lease.check_wait(reason=str(error))
        lease.rest(pause_s, reason=str(error))


class Faults(dict[str, tuple[int, float]]):
    """How often a lost connection ended the work on each entry, by id, and since when.

    `Retry` alone would go on for ever: it counts from the last successful reply, and each chunk is one.
    """

    def note(self, entry_id: str) -> bool:
        """Count a fault; return whether there were ten over more than a minute."""
        number, since = self.get(entry_id, (0, time.monotonic()))
        self[entry_id] = number + 1, since
        return number + 1 >= MAX_FAULTS and time.monotonic() - since >= MAX_FAULTS_S

    @property
    def most(self) -> int:
        """The number of faults of the entry that had most."""
        return max((number for number, _ in self.values()), default=0)
