"""Attempts at segments that failed: what is waited for before the next one, and when there is to be none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.run.record import RunJournal
from server_a.run.resume import remove_staging
from server_a.run.tasks import WriteTask
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import FullServerError, HandoverError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_ATTEMPTS = 100


@dataclass
class Losses:
    """Counts them, by segment."""

    endpoint: Endpoint
    keys: Keyspace
    journal: RunJournal
    retry: Retry
    stop: StopRequest
    log: FilteringBoundLogger
    _lost: Counter[int] = field(init=False, default_factory=Counter)
    _answered_s: float = field(init=False, default=0.0)  # when the server last answered after an attempt was lost

    def wait_out(self, task: WriteTask, error: Exception, *, lost_s: float) -> None:
        """Wait until an attempt that failed can be repeated; raise what is not to be repeated."""
        if not isinstance(error, TransientError | FullServerError):
            raise error
        self.log.warning("attempt lost", segment=task.segment.number, attempt=task.attempt, reason=str(error))
        if isinstance(error, FullServerError):
            self.retry.wait_for_room(error)
        elif lost_s > self._answered_s:  # else what caused it is over: one outage may end many attempts
            self.retry.wait_out(error)

    def remove_again(self) -> None:
        """Remove the staging keys of all lost attempts once more: late bytes may have created one again."""
        self.retry.keep_trying(remove_staging, self.endpoint, self.keys, self.journal.lost)

    def close(self, left: Iterable[WriteTask]) -> None:
        """Remove what attempts under way leave, and once more what the lost ones did."""
        attempts = [*self.journal.lost, *((task.segment.number, task.attempt) for task in left)]
        try:
            remove_staging(self.endpoint, self.keys, attempts)
        except HandoverError as error:  # tried once only: the record keeps the tokens, and the keys expire
            self.log.warning("staging keys left to a resume or their time to live", reason=str(error))

    def give_up(self, task: WriteTask) -> None:
        """Undo an attempt that is lost; NotFinishedError when it was the hundredth at its segment."""
        number = task.segment.number
        self.retry.keep_trying(remove_staging, self.endpoint, self.keys, [(number, task.attempt)])
        self.journal.lose(number, task.attempt)
        self._answered_s = time.monotonic()
        self._lost[number] += 1
        if self._lost[number] >= MAX_ATTEMPTS:
            got = f"{MAX_ATTEMPTS} that failed"
            raise NotFinishedError(where=task.segment_key, expected="one attempt to succeed", got=got)
