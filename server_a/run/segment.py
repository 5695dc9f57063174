"""Has segments written, and publishes each, in as many attempts as it takes."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.run.lost_states import LostStates, publish_or_restore
from server_a.run.publish import Publication, is_published
from server_a.run.record import RunJournal
from server_a.run.replicas import ReplicaWait
from server_a.run.resume import remove_staging
from server_a.run.states import PublishedSegment, Supersession
from server_a.run.tasks import Acknowledged, Event, WriteTask, Written
from server_a.run.writers import TASKS_EACH, Writers
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_times import ReplyTimes
from shared.endpoint.retry import Retry
from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_ATTEMPTS = 100
MOST_AHEAD = 100
LOOK_EVERY_S = 0.2


@dataclass
class SegmentProducer:
    """Writes and publishes the segments of a run; the writers go on while one is published."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    at_once: int  # most segments under way: given to a writer, or written and not published yet
    writers: Writers
    replicas: ReplicaWait
    journal: RunJournal
    supersession: Supersession
    retry: Retry
    stop: StopRequest
    log: FilteringBoundLogger
    attempts: int = field(init=False, default=0)  # begun
    values_written: int = field(init=False, default=0)  # in segments published here
    write_s: float = field(init=False, default=0.0)  # from the first LPUSH sent to the last publication
    times: ReplyTimes = field(init=False, default_factory=ReplyTimes)  # of batches
    _began_s: float | None = field(init=False, default=None)
    _answered_s: float = field(init=False, default=0.0)  # when the server last answered after an attempt was lost
    _to_do: list[int] = field(init=False, default_factory=list)  # not given to a writer, in order
    _under_way: dict[int, WriteTask] = field(init=False, default_factory=dict)
    _held: dict[int, Written] = field(init=False, default_factory=dict)  # written, not to be published yet
    _counted: Counter[int] = field(init=False, default_factory=Counter)  # values of attempts that are not published
    _lost: Counter[int] = field(init=False, default_factory=Counter)  # attempts lost, by segment

    def plan(self, numbers: Iterable[int]) -> None:
        """Take the segments that `produce` will write."""
        self._to_do = sorted(numbers)

    def next_numbers(self) -> list[int]:
        """Return which segments need a token next, so that no writer waits for one."""
        if not self._to_do:
            return []
        wanted = self.writers.count * (1 if self._under_way else 1 + TASKS_EACH) - len(self.journal.prepared)
        if wanted <= 0:
            return []
        return self.writers.spread(self._eligible(is_prepared=False), self.keys.segment, most=wanted)

    def produce(self) -> Iterator[tuple[int, PublishedSegment]]:
        """Write what was planned, and yield number and state of each segment as it is published."""
        self.journal.progress.work()
        while self._to_do or self._under_way or self._held:
            self._give_out()
            event = self.writers.next_event(timeout_s=LOOK_EVERY_S)
            self.stop.check(f"run {self.record.run_id}")
            self.supersession.look()
            self.journal.progress.add(0)  # the rate falls while nothing is acknowledged
            self._note(event)
            while (done := self._publishable()) is not None:
                published = self._publish(done)
                self._give_out()
                if published is not None:
                    yield done.task.segment.number, published

    def remove_lost(self) -> None:
        """Remove the staging keys of all lost attempts once more: late bytes may have created one again."""
        self.retry.keep_trying(remove_staging, self.endpoint, self.keys, self.journal.lost)

    def close(self) -> None:
        """End the writers, and remove what they have under way."""
        self.writers.close()
        left = [*self._under_way.values(), *(done.task for done in self._held.values())]
        attempts = [*self.journal.lost, *((task.segment.number, task.attempt) for task in left)]
        try:
            remove_staging(self.endpoint, self.keys, attempts)
        except HandoverError as error:  # tried once only: the record keeps the tokens, and the keys expire
            self.log.warning("staging keys left to a resume or their time to live", reason=str(error))

    def _eligible(self, *, is_prepared: bool) -> list[int]:
        """Return segments to give out, less than 100 ahead of the lowest one that is not published."""
        lowest = min([*self._to_do[:1], *self._under_way, *self._held])
        end = bisect_left(self._to_do, lowest + MOST_AHEAD)
        if len(self._under_way) + len(self._held) >= self.at_once:
            end = int(lowest == self._to_do[0] == 1)  # the first one always: no other is published before it
        return [number for number in self._to_do[:end] if (number in self.journal.prepared) == is_prepared]

    def _give_out(self) -> None:
        """Give writers tasks until each has two, or as many are under way as may be."""
        while self._to_do and self.writers.has_room:
            numbers = {self.keys.segment(number): number for number in self._eligible(is_prepared=True)}
            if not numbers:
                if not (needed := self.next_numbers() or self._eligible(is_prepared=False)[:1]):
                    return  # as many are under way as may be
                self.journal.prepare(needed)
                continue
            self.writers.give(list(numbers), lambda key: self._begin(numbers[key]))  # noqa: B023 - called at once

    def _begin(self, number: int) -> WriteTask:
        attempt, key = self.journal.take(number), self.keys.segment(number)
        task = WriteTask(self.record.range_of(number), key, self.keys.staging(key, attempt), attempt)
        self._to_do.remove(number)
        self._under_way[number] = task
        self.attempts += 1
        return task

    def _note(self, event: Event | None) -> None:
        if event is None:
            return
        number = event.task.segment.number
        if isinstance(event, Acknowledged):
            self._counted[number] += event.values
            self.journal.count(event.values)
            self.retry.succeeded()
            return
        if event.began_s is not None:
            self._began_s = min(event.began_s, self._began_s or event.began_s)
        if isinstance(event, Written):
            self._held[number] = event
            del self._under_way[number]
            return
        if not isinstance(event.error, TransientError):
            raise event.error
        self._tell_lost(event.task, event.error)
        if event.lost_s > self._answered_s:  # else what caused it is over: one outage may end many attempts
            self.retry.wait_out(event.error)
        self._give_up(event.task)

    def _publishable(self) -> Written | None:
        """Return a segment to publish; the first one is published before any other, and names the run."""
        if 1 in self._under_way or (self._to_do and self._to_do[0] == 1):
            return None
        return self._held[min(self._held)] if self._held else None

    def _publish(self, done: Written) -> PublishedSegment | None:
        """Publish a written segment; None if that failed, and it is to be written again."""
        task, written = done.task, done.written
        number = task.segment.number
        state = SegmentState(self.record.run_id, task.attempt, written.count, written.digest)
        publication = Publication(number, task.segment_key, task.staging_key, state, written.blocks)
        try:
            lost = LostStates(self.endpoint, self.keys, self.stop)
            publish_or_restore(lost, publication, overwrite=self.record.overwrite, log=self.log)
        except TransientError as error:
            self._tell_lost(task, error)
            self.retry.wait_out(error)
            if not self.retry.keep_trying(is_published, self.endpoint, self.keys, publication):
                self._under_way[number] = self._held.pop(number).task
                self._give_up(task)
                return None
        self.retry.succeeded()
        self.replicas.require(number, task.attempt)
        del self._held[number], self._counted[number]
        self.values_written += state.count
        self.write_s = time.monotonic() - (self._began_s or 0.0)
        self.times.merge(done.times)
        self.log.debug("segment published", segment=number, attempt=task.attempt)
        return PublishedSegment(state, longest=done.longest)

    def _tell_lost(self, task: WriteTask, error: TransientError) -> None:
        self.log.warning("attempt lost", segment=task.segment.number, attempt=task.attempt, reason=str(error))

    def _give_up(self, task: WriteTask) -> None:
        """Undo an attempt that is lost, and plan the next one."""
        number = task.segment.number
        self.retry.keep_trying(remove_staging, self.endpoint, self.keys, [(number, task.attempt)])
        self.journal.lose(number, task.attempt)
        self._answered_s = time.monotonic()
        self.journal.count(-self._counted.pop(number, 0))
        del self._under_way[number]
        insort(self._to_do, number)
        self._lost[number] += 1
        if self._lost[number] >= MAX_ATTEMPTS:
            got = f"{MAX_ATTEMPTS} that failed"
            raise NotFinishedError(where=task.segment_key, expected="one attempt to succeed", got=got)
