"""Publishes written segments while others are written, and while others are published and announced.

A publication takes two round trips, so over a far link one after the other would take longer than writing them. Each is
a transaction of its own, because segments may be on several servers, in a thread of its own, because redis-py waits for
each reply. The threads share nothing but the endpoint; whoever is told the outcome decides what comes of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from server_a.run.lost_states import LostStates, publish_or_restore
from server_a.run.publish import Publication
from server_a.run.tasks import Event, PublicationEnded, Written
from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST_AT_ONCE = 8


@dataclass
class Publisher:
    """Publishes segments of a run, also over lists of ours whose state was lost meanwhile."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    stop: StopRequest
    log: FilteringBoundLogger
    tell: Callable[[Event], None]  # gets the end of each publication, in its thread
    signalled: frozenset[int] = frozenset()  # segments that were signalled before the run was resumed
    _threads: dict[int, Thread] = field(init=False, default_factory=dict)  # by segment

    def __contains__(self, number: int) -> bool:
        """Whether a segment is being published, or its end was not `ended` yet."""
        return number in self._threads

    @property
    def lowest(self) -> float:
        """The lowest segment that is being published; infinity for none."""
        return min(self._threads, default=math.inf)

    @property
    def room(self) -> int:
        """How many publications may be begun now."""
        return MOST_AT_ONCE - len(self._threads)

    def begin(self, done: Written) -> None:
        """Begin to publish a written segment."""
        number = done.task.segment.number
        self._threads[number] = thread = Thread(target=self._publish, args=(done,), name="publication", daemon=True)
        thread.start()

    def ended(self, number: int) -> None:
        """Note that somebody has taken the end of a publication."""
        self._threads.pop(number).join()

    def close(self) -> None:
        """Wait for all publications; a lost connection ends them after the socket's time-out."""
        while self._threads:
            self._threads.popitem()[1].join()

    def publication_of(self, done: Written) -> Publication:
        """Return what is to be published of a written segment."""
        task, written = done.task, done.written
        state = SegmentState(self.record.run_id, task.attempt, written.count, written.digest)
        return Publication(task.segment.number, task.segment_key, task.staging_key, state, written.blocks)

    def _publish(self, done: Written) -> None:
        error: Exception | None = None
        try:
            lost = LostStates(self.endpoint, self.keys, self.stop)
            publication, overwrite = self.publication_of(done), self.record.overwrite
            asked, was_signalled = done.take_asked(), publication.number in self.signalled
            publish_or_restore(
                lost, publication, overwrite=overwrite, log=self.log, asked=asked, was_signalled=was_signalled
            )
        except Exception as caught:  # noqa: BLE001 - the story raises what is not to be repeated
            error = caught
        done.leave()  # what failed before it was used
        self.tell(PublicationEnded(done, error, ended_s=time.monotonic()))
