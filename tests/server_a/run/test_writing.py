"""The thread that writes: what it sends when, and what comes of an attempt when the one before it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

import pytest

from server_a.run.tasks import Event, Lost, WriteTask, Written
from server_a.run.values import NumberSource
from server_a.run.writing import WriterThread
from shared.endpoint.batch_connection import BatchConnection, Reply
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, TransientError
from shared.keys import Keyspace
from shared.segments import segment_range
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import list_values, numbers

if TYPE_CHECKING:
    import redis

COUNT = 3_000
Tasks = list[WriteTask]


@pytest.fixture
def tasks(keys: Keyspace) -> Tasks:
    """Three segments of a thousand numbers."""
    ranges = [segment_range(number, count=COUNT, segment_values=1_000) for number in (1, 2, 3)]
    attempt = "20200101T000000000Z-abcdef"
    named = [(part, keys.segment(part.number)) for part in ranges]
    return [WriteTask(part, key, keys.staging(key, attempt), attempt) for part, key in named]


class Told:
    """What a thread tells."""

    def __init__(self) -> None:
        """Wait for it."""
        self.events: SimpleQueue[Event] = SimpleQueue()

    def next(self) -> Written | Lost:
        """Return the next end of a task."""
        while not isinstance(event := self.events.get(timeout=60), Written | Lost):
            pass
        return event


Start = Callable[[Endpoint, Told, Tasks], WriterThread]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a thread with tasks; it is cancelled after the test."""
    threads = []

    def start(endpoint: Endpoint, told: Told, tasks: Tasks) -> WriterThread:
        thread = WriterThread(endpoint, NumberSource(COUNT), told.events.put)
        for task in tasks:
            thread.give(task)
        thread.start()
        threads.append(thread)
        return thread

    yield start
    for thread in threads:
        thread.cancel()
        assert not thread.is_alive()


def test_the_next_segment_is_sent_before_the_replies_to_the_last_are_read(
    endpoint: Endpoint, tasks: Tasks, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Watched(BatchConnection):
        """Notes what is sent and read."""

        def send(self, packed: bytes, *, replies: int, flight_bytes: int = 0) -> None:
            seen.append("send")
            super().send(packed, replies=replies, flight_bytes=flight_bytes)

        def read_on(self, replies: int, key_at: Callable[[int], str]) -> tuple[list[Reply], HandoverError | None]:
            seen.extend(["read"] * replies)
            return super().read_on(replies, key_at)

    monkeypatch.setattr(endpoint, "batch", lambda key: Watched(endpoint.at(key)))
    told = Told()
    start(endpoint, told, tasks)
    assert [cast("Written", told.next()).task for _ in tasks] == tasks
    assert seen[:2] == ["send", "send"]  # each segment is one transaction of four replies
    assert (seen.count("send"), seen.count("read")) == (3, 12)


def test_each_segment_is_whole_and_told_in_order(
    endpoint: Endpoint, tasks: Tasks, start: Start, client: redis.Redis
) -> None:
    told = Told()
    start(endpoint, told, tasks)
    for task in tasks:
        event = told.next()
        assert isinstance(event, Written)
        assert (event.task, event.written.count, event.longest) == (task, 1_000, len(str(task.segment.first + 1_000)))
        assert event.times.buckets.total() == 1
        values = numbers(COUNT)[task.segment.first : task.segment.first + 1_000]
        assert list_values(client, task.staging_key) == values[::-1]


@pytest.mark.parametrize("foreign", [0, 1, 2])
def test_a_failed_attempt_takes_those_behind_it_on_the_connection_with_it(
    foreign: int, endpoint: Endpoint, tasks: Tasks, start: Start, client: redis.Redis
) -> None:
    client.lpush(tasks[foreign].staging_key, "somebody's")
    told = Told()
    thread = start(endpoint, told, tasks)
    ends = {event.task.segment.number: event for event in (told.next() for _ in tasks)}
    failed = ends[foreign + 1]
    assert isinstance(failed, Lost)
    assert isinstance(failed.error, TransientError)
    assert failed.error.answered
    for number in range(1, foreign + 1):
        assert isinstance(ends[number], Written)
    again = [task for task in tasks if isinstance(ends[task.segment.number], Lost)]
    for task in again:
        client.unlink(task.staging_key)
        thread.give(task)
    assert all(isinstance(told.next(), Written) for _ in again)


def test_a_lost_connection_is_told_for_all_it_carried(
    link: FaultyLink, tasks: Tasks, start: Start, client: redis.Redis
) -> None:
    link.lose_reply(b"LPUSH")
    endpoint = open_endpoint(EndpointSettings(url=parse_url(link.url)))
    told = Told()
    thread = start(endpoint, told, tasks[:1])
    event = told.next()
    assert isinstance(event, Lost)
    assert isinstance(event.error, TransientError)
    assert event.began_s is not None
    assert event.began_s < event.lost_s
    client.unlink(tasks[0].staging_key)
    thread.give(tasks[0])
    assert isinstance(told.next(), Written)
    thread.cancel()
    endpoint.close()


def test_a_cancelled_thread_writes_nothing_more(endpoint: Endpoint, tasks: Tasks, start: Start) -> None:
    told = Told()
    thread = start(endpoint, told, [])
    thread.cancel()
    thread.give(tasks[0])
    assert not thread.is_alive()
    assert told.events.empty()


def test_a_cancelled_thread_begins_no_task_that_waits(endpoint: Endpoint, tasks: Tasks) -> None:
    """Its connection may take seconds to open, of a server that hangs, and a stop request would wait for each."""
    told = Told()
    thread = WriterThread(endpoint, NumberSource(COUNT), told.events.put)
    for task in tasks:
        thread.give(task)
    thread.cancel()
    thread.run()  # not started as a thread: what it does after the stop, and nothing before
    assert told.events.empty()
