"""The writers of a run, one thread or several processes, and which of them gets which segment.

Several processes because one writer keeps about one and a half primaries busy (CPU a value: A 0.10 µs, a server 0.14 to
0.2). Threads were rejected for that: Python runs one at a time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Protocol

from server_a.run.settings import RunSettings
from server_a.run.tasks import Event, Lost, WriteTask, Written
from server_a.run.values import ValueSource
from server_a.run.writer_process import WriterProcess
from server_a.run.writing import Look, WriterThread
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.settings import EndpointSettings
from shared.record import RunRecord

FEWEST_TASKS = 3  # one being written, one that follows it without a pause, and one while the story announces
MOST_TASKS = 8
_AHEAD_VALUES = 2_000_000


class Writer(Protocol):
    """Writes segments, each into its staging key, until cancelled."""

    def give(self, task: WriteTask) -> None:
        """Add a task."""

    def cancel(self) -> None:
        """Leave what is under way, and return when nothing more is sent."""


def writers_of(wanted: int, endpoint: Endpoint, segments: int) -> int:
    """Return how many writers a run has; `wanted` is 0 for one for each primary, at most one a core."""
    if not wanted:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = min(len(endpoint.primaries()), cores)
    return max(1, min(wanted, segments))


def tasks_each(segment_values: int) -> int:
    """Return how many tasks a writer holds: more of small segments, which take less time than announcing one does.

    A segment is published and announced in four round trips, and meanwhile a writer over a far link needs others.
    """
    return max(FEWEST_TASKS, min(MOST_TASKS, _AHEAD_VALUES // segment_values))


def segments_at_once(settings: RunSettings, endpoint: Endpoint, record: RunRecord) -> int:
    """Return how many segments may be under way, so that no writer waits: its tasks, and one being published."""
    return tasks_each(record.segment_values) * writers_of(settings.writers, endpoint, record.segments) + 1


@dataclass
class _Member:
    writer: Writer | None = None  # None until it gets its first task
    nodes: dict[str, str] = field(default_factory=dict)  # of its tasks, by staging key
    last_node: str = ""


class Writers:
    """All writers; each holds at most `tasks_each` tasks. Nothing is started before the first task."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: EndpointSettings,
        source: ValueSource,
        look: Look,
        *,
        count: int,
        tasks_each: int,
    ) -> None:
        self.count = count
        self.tasks_each = tasks_each
        self._look = look
        self._endpoint = endpoint
        self._settings = settings
        self._source = source
        self._members = [_Member() for _ in range(count)]
        self._events: SimpleQueue[Event] = SimpleQueue()

    @property
    def has_room(self) -> bool:
        """Whether another task may be given."""
        return any(len(member.nodes) < self.tasks_each for member in self._members)

    def give(self, keys: Sequence[str], task_of: Callable[[str], WriteTask]) -> None:
        """Give one of these segments, by key, to the writer with the fewest tasks; `task_of` makes the task.

        It stays with the server it writes to as long as it can, else it gets one where no other writer is.
        """
        member = min(self._members, key=lambda member: len(member.nodes))
        others = Counter(node for other in self._members if other is not member for node in other.nodes.values())
        node_of = self._endpoint.node_of

        def rank(key: str) -> tuple[int, bool]:
            node = node_of(key)
            return others[node], node != member.last_node

        key = min(keys, key=rank)
        task = task_of(key)
        member.last_node = member.nodes[task.staging_key] = node_of(key)
        if member.writer is None or (isinstance(member.writer, WriterProcess) and member.writer.has_died):
            member.writer = self._new_writer()
        member.writer.give(task)

    def tell(self, event: Event) -> None:
        """Add an event; any thread may."""
        self._events.put(event)

    def next_event(self, *, timeout_s: float) -> Event | None:
        """Return what is told next; None when nothing came in time."""
        try:
            event = self._events.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(event, Written | Lost):
            for member in self._members:
                member.nodes.pop(event.task.staging_key, None)
        return event

    def close(self) -> None:
        """End all writers; what they have under way is left."""
        for member in self._members:
            if isinstance(member.writer, WriterProcess):
                member.writer.ask_to_end()
        for member in self._members:
            if member.writer is not None:
                member.writer.cancel()
            member.writer, member.nodes = None, {}
        self._events = SimpleQueue()

    def spread(self, numbers: Iterable[int], key_of: Callable[[int], str], *, most: int) -> list[int]:
        """Return so many of the numbers, in an order that gives each server as many tasks as the others."""
        node_of = self._endpoint.node_of
        load = Counter(node for member in self._members for node in member.nodes.values())
        left = {number: node_of(key_of(number)) for number in numbers}
        chosen: list[int] = []
        while left and len(chosen) < most:
            number = min(left, key=lambda number: load[left[number]])  # of equal ones the first
            load[left.pop(number)] += 1
            chosen.append(number)
        return chosen

    def _new_writer(self) -> Writer:
        if self.count > 1:
            return WriterProcess(self._settings, self._source, self.tell)
        thread = WriterThread(self._endpoint, self._source, self.tell, self._look)
        thread.start()
        return thread
