"""Has segments written, and publishes each, in as many attempts as it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.run.losses import Losses
from server_a.run.plan import Plan
from server_a.run.publish import Publication, is_published
from server_a.run.publishing import Publisher
from server_a.run.record import RunJournal
from server_a.run.replicas import ReplicaWait
from server_a.run.states import PublishedSegment, Supersession
from server_a.run.tasks import Acknowledged, Event, PublicationEnded, WriteTask, Written
from server_a.run.writers import Writers
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_times import ReplyTimes
from shared.endpoint.retry import Retry
from shared.errors import FullServerError
from shared.keys import Keyspace
from shared.program.telemetry.telling import ProducerTelemetry
from shared.record import RunRecord
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LOOK_EVERY_S = 0.2


@dataclass
class SegmentProducer:
    """Writes and publishes the segments of a run, both at the same time."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    at_once: int  # most segments given to a writer, or written and not published; a full server lowers it
    writers: Writers
    publisher: Publisher
    losses: Losses
    replicas: ReplicaWait
    journal: RunJournal
    supersession: Supersession
    retry: Retry
    stop: StopRequest
    log: FilteringBoundLogger
    telemetry: ProducerTelemetry = field(default_factory=ProducerTelemetry)
    attempts: int = field(init=False, default=0)  # begun
    values_written: int = field(init=False, default=0)  # in segments published here
    write_s: float = field(init=False, default=0.0)  # from the first LPUSH sent to the last publication
    times: ReplyTimes = field(init=False, default_factory=ReplyTimes)  # of batches
    _began_s: float | None = field(init=False, default=None)
    _to_do: Plan = field(init=False, default_factory=Plan)
    _under_way: dict[int, WriteTask] = field(init=False, default_factory=dict)
    _held: dict[int, Written] = field(init=False, default_factory=dict)  # written, not to be published yet
    _counted: Counter[int] = field(init=False, default_factory=Counter)  # values of attempts that are not published

    def plan(self, numbers: Iterable[int]) -> None:
        """Take the segments that `produce` will write."""
        self._to_do.set(numbers)

    def next_numbers(self) -> list[int]:
        """Return which segments need a token next, so that no writer waits for one."""
        not_prepared = [
            number
            for number in self._to_do.within_reach(self._under_way, self._held)
            if number not in self.journal.prepared
        ]
        each = self.writers.tasks_each if self._under_way else 2 + self.writers.tasks_each
        wanted = self.writers.count * each - len(self.journal.prepared)
        return self.writers.spread(not_prepared, self.keys.segment, most=wanted)

    def produce(self) -> Iterator[dict[int, PublishedSegment]]:
        """Write what was planned, and yield the segments that are published, by number, as they are.

        One that was published before a lower one waits for that, so that signals come in order where nothing is lost.
        """
        published: dict[int, PublishedSegment] = {}
        self.journal.progress.work()
        while self._to_do or self._under_way or self._held or published:
            self._give_out()
            event = self.writers.next_event(timeout_s=LOOK_EVERY_S)
            self.stop.check(f"run {self.record.run_id}")
            self.supersession.look()
            self.journal.progress.add(0)  # the rate falls while nothing is acknowledged
            while event is not None:  # all that has come, so that what it says is announced together
                published |= self._note(event)
                event = self.writers.next_event(timeout_s=0)
            self._begin_publications()
            self._give_out()
            if ready := {number: published[number] for number in published if number < self.publisher.lowest}:
                yield ready
                published = {number: published[number] for number in published.keys() - ready.keys()}

    def close(self) -> None:
        """End the writers, and remove what they have under way."""
        self.writers.close()
        self.publisher.close()
        for done in self._held.values():
            done.leave()
        self.losses.close([*self._under_way.values(), *(done.task for done in self._held.values())])

    def _eligible(self) -> list[int]:
        """Return segments to give out."""
        is_full = len(self._under_way) + len(self._held) >= self.at_once
        # the first one always: no other is published before it
        return [
            number for number in self._to_do.within_reach(self._under_way, self._held) if not is_full or number == 1
        ]

    def _give_out(self) -> None:
        """Give writers tasks until each has its number of them, or as many are under way as may be."""
        while self._to_do and self.writers.has_room and (eligible := self._eligible()):
            numbers = {self.keys.segment(number): number for number in eligible if number in self.journal.prepared}
            if not numbers:
                self.journal.prepare(self.next_numbers() or eligible[:1])
                continue
            self.writers.give(list(numbers), lambda key: self._begin(numbers[key]))  # noqa: B023 - called at once

    def _begin(self, number: int) -> WriteTask:
        attempt, key = self.journal.take(number), self.keys.segment(number)
        task = WriteTask(self.record.range_of(number), key, self.keys.staging(key, attempt), attempt)
        self._to_do.take(number)
        self._under_way[number] = task
        self.attempts += 1
        self.telemetry.attempt_begun()
        return task

    def _note(self, event: Event) -> Mapping[int, PublishedSegment]:
        """Take what a writer or a publication tells; return the segment that is published by it."""
        number = event.task.segment.number
        if isinstance(event, Acknowledged):
            self._counted[number] += event.values
            self.journal.count(event.values)
            self.retry.succeeded()
            return {}
        if isinstance(event, PublicationEnded):
            return self._settle(event)
        if event.began_s is not None:
            self._began_s = min(event.began_s, self._began_s or event.began_s)
        if isinstance(event, Written):
            self._held[number] = event
            del self._under_way[number]
        else:
            self.telemetry.attempt_lost(number, began_s=event.began_s, error=event.error)
            self._wait_out(event.task, event.error, lost_s=event.lost_s)
            self._give_up(event.task)
        return {}

    def _begin_publications(self) -> None:
        """Publish what is written; the first segment is published before any other, and names the run."""
        if 1 in self._under_way or 1 in self._to_do:
            return
        ready = [1] if 1 in self._held else sorted(self._held)
        for number in [number for number in ready if number not in self.publisher][: self.publisher.room]:
            self.publisher.begin(self._held[number])

    def _settle(self, event: PublicationEnded) -> Mapping[int, PublishedSegment]:
        """Return the segment that is published; none if that failed, and it is to be written again."""
        task, publication = event.task, self.publisher.publication_of(event.done)
        number = publication.number
        self.publisher.ended(number)
        if not self._is_published(event, publication):
            assert event.error is not None
            self.telemetry.attempt_lost(number, began_s=event.done.began_s, error=event.error)
            self._under_way[number] = self._held.pop(number).task
            self._give_up(task)
            return {}
        self.retry.note_freeing()
        self.retry.succeeded()
        self.replicas.require(number, task.attempt)
        del self._held[number], self._counted[number]
        self.values_written += publication.state.count
        self.write_s = max(self.write_s, event.ended_s - (self._began_s or 0.0))
        self.times.merge(event.done.times)
        self.telemetry.published(
            number, began_s=event.done.began_s, ended_s=event.ended_s, values=publication.state.count,
            value_bytes=event.done.value_bytes,
        )  # fmt: skip
        self.log.debug("segment published", segment=number, attempt=task.attempt)
        return {number: PublishedSegment(publication.state, longest=event.done.longest)}

    def _is_published(self, event: PublicationEnded, publication: Publication) -> bool:
        """Return whether a publication has happened, whose reply may have been lost."""
        if event.error is None:
            return True
        self._wait_out(event.task, event.error, lost_s=event.ended_s)
        is_done = self.retry.keep_trying(is_published, self.endpoint, self.keys, publication)
        if is_done:
            self.log.info("publication found done", segment=publication.number, attempt=event.task.attempt)
        return is_done

    def _wait_out(self, task: WriteTask, error: Exception, *, lost_s: float) -> None:
        """Wait until an attempt that failed can be repeated; for a full server with one segment less under way."""
        others = len(self._under_way) + len(self._held) - 1
        if isinstance(error, FullServerError) and others:
            if others < self.at_once:  # what is given up for it is freed; else it is full for good
                self.at_once = others
                self.retry.note_freeing()
            if 1 in self._under_way:  # no other is published, and takes no room any more, before it
                for number in [*self._held]:
                    done = self._held.pop(number)
                    done.leave()
                    self._under_way[number] = done.task
                    self._give_up(self._under_way[number])
        self.losses.wait_out(task, error, lost_s=lost_s)

    def _give_up(self, task: WriteTask) -> None:
        """Undo an attempt that is lost, and plan the next one."""
        number = task.segment.number
        self.losses.give_up(task)
        self.journal.count(-self._counted.pop(number, 0))
        del self._under_way[number]
        self._to_do.put_back(number)
