"""What a publication depends on is asked behind the last batch, on the writer's connection: one round trip less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.run import tasks as tasks_module
from server_a.run.publish import Publication, is_published, publish, questions
from server_a.run.tasks import Event, Lost, WriteTask, Written
from server_a.run.values import NumberSource
from server_a.run.writing import WriterThread
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import SupersededError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.segments import segment_range
from shared.state import SegmentState
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN, list_values, numbers
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

COUNT = 3_000
LONG_QUIET_S = 0.5  # for what is sent in one turn though a thread is held up in between


@pytest.fixture(autouse=True)
def _asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked is not left because this machine took a second from one step to the next."""
    monkeypatch.setattr(tasks_module, "ASKED_FOR_S", 3_600.0)


@contextmanager
def writer(endpoint: Endpoint, keys: Keyspace, events: SimpleQueue[Event]) -> Iterator[WriterThread]:
    """Start a thread that asks ahead; it is cancelled in the end."""
    thread = WriterThread(endpoint, NumberSource(COUNT), events.put, partial(questions, endpoint, keys))
    thread.start()
    yield thread
    thread.cancel()
    assert not thread.is_alive()


def task_of(keys: Keyspace, number: int) -> WriteTask:
    """Return the task of one of three segments."""
    key = keys.segment(number)
    return WriteTask(segment_range(number, count=COUNT, segment_values=1_000), key, keys.staging(key, RUN), RUN)


def next_end(events: SimpleQueue[Event]) -> Written | Lost:
    """Return the next end of a task."""
    while not isinstance(event := events.get(timeout=60), Written | Lost):
        pass
    return event


@pytest.fixture
def written(endpoint: Endpoint, keys: Keyspace) -> Iterator[Written]:
    """The first segment in its staging key, with what was asked behind it."""
    events: SimpleQueue[Event] = SimpleQueue()
    with writer(endpoint, keys, events) as thread:
        thread.give(task_of(keys, 1))
        event = next_end(events)
        assert isinstance(event, Written)
        assert event.asked is not None
        yield event
        event.leave()
    assert in_use(endpoint, keys) == 0


def in_use(endpoint: Endpoint, keys: Keyspace) -> int:
    """Return how many connections are lent by the pool."""
    return len(endpoint.at(keys.segment(1)).connection_pool._in_use_connections)


def publication_of(done: Written) -> Publication:
    """Return what is to be published."""
    state = SegmentState(RUN, RUN, done.written.count, done.written.digest)
    return Publication(1, done.task.segment_key, done.task.staging_key, state, done.written.blocks)


def test_what_was_asked_is_not_asked_again(keys: Keyspace, server: Server) -> None:
    with TurnCounter(server.port, quiet_s=LONG_QUIET_S) as counter:
        endpoint = open_endpoint(EndpointSettings(url=parse_url(counter.url)))
        events: SimpleQueue[Event] = SimpleQueue()
        with closing(endpoint), writer(endpoint, keys, events) as thread:
            turns = counter.turns
            thread.give(task_of(keys, 1))
            done = next_end(events)
            assert isinstance(done, Written)
            publish(endpoint, keys, publication_of(done), overwrite=False, asked=done.take_asked())
            assert is_published(endpoint, keys, publication_of(done))
    assert counter.times("WATCH") == counter.times("LLEN") - 1 == counter.times("RENAME") == 1, str(counter)
    assert counter.turns - turns <= 3, str(counter)  # all values and the questions; the transaction; `is_published`
    assert counter.connections == 1


def test_it_is_published_on_the_writers_connection_which_is_free_afterwards(
    endpoint: Endpoint, keys: Keyspace, written: Written, client: redis.Redis
) -> None:
    publish(endpoint, keys, publication_of(written), overwrite=False, asked=written.take_asked())
    assert list_values(client, written.task.segment_key) == numbers(1_000)[::-1]
    assert is_published(endpoint, keys, publication_of(written))
    assert in_use(endpoint, keys) == 0


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param("theirs", WrongKeyError, id="a list of somebody else's"),
        pytest.param("newer", SupersededError, id="a newer run"),
        pytest.param("gone", TransientError, id="the staging key is gone"),
        pytest.param("longer", TransientError, id="the staging key has grown"),
    ],
)
def test_what_changes_after_it_was_asked_is_seen(
    *, change: str, error: type[Exception], endpoint: Endpoint, keys: Keyspace, written: Written, client: redis.Redis
) -> None:
    key, staging_key = written.task.segment_key, written.task.staging_key
    if change == "theirs":
        client.lpush(key, "theirs")
    elif change == "newer":
        client.hset(keys.state(key), mapping=dict(SegmentState(NEWER, NEWER, 1, DIGEST).encode()))  # type: ignore[arg-type]
    elif change == "gone":
        client.unlink(staging_key)
    else:
        client.lpush(staging_key, "one more")
    conflicts: list[None] = []
    publication, asked = publication_of(written), written.take_asked()
    with pytest.raises(error):
        publish(endpoint, keys, publication, overwrite=False, asked=asked, on_conflict=lambda: conflicts.append(None))
    assert len(conflicts) == 1
    assert list_values(client, key) == ([b"theirs"] if change == "theirs" else [])


def test_an_older_list_that_comes_after_it_was_asked_is_replaced(
    endpoint: Endpoint, keys: Keyspace, written: Written, client: redis.Redis
) -> None:
    key = written.task.segment_key
    client.lpush(key, "old")
    client.hset(keys.state(key), mapping=dict(SegmentState(OLDER, OLDER, 1, DIGEST).encode()))  # type: ignore[arg-type]
    publish(endpoint, keys, publication_of(written), overwrite=False, asked=written.take_asked())
    assert list_values(client, key) == numbers(1_000)[::-1]


def test_a_connection_that_was_cut_publishes_nothing(
    endpoint: Endpoint, keys: Keyspace, written: Written, client: redis.Redis
) -> None:
    asked = written.take_asked()
    assert asked is not None
    assert asked.connection is not None
    name = asked.connection._sock.getsockname()  # type: ignore[attr-defined]
    client.execute_command("CLIENT", "KILL", "ADDR", f"{name[0]}:{name[1]}")
    with pytest.raises(TransientError):
        publish(endpoint, keys, publication_of(written), overwrite=False, asked=asked)
    assert not client.exists(written.task.segment_key)
    assert client.llen(written.task.staging_key) == 1_000


def test_a_connection_that_is_closed_before_it_is_handed_on_is_met_by_the_publication(
    endpoint: Endpoint, keys: Keyspace
) -> None:
    """A writer thread has nobody to raise it to."""
    connection = endpoint.batch(keys.segment(1))
    connection.watch_and_ask(*questions(endpoint, keys, keys.segment(1), keys.staging(keys.segment(1), RUN)))
    connection._connection.disconnect()
    pipeline = connection.to_pipeline()
    watched, look = questions(endpoint, keys, keys.segment(1), keys.staging(keys.segment(1), RUN))
    with pytest.raises(TransientError), closing(pipeline):
        pipeline.watch_and_ask(watched, look)
    assert in_use(endpoint, keys) == 0


def test_what_was_asked_long_ago_is_left(
    endpoint: Endpoint, keys: Keyspace, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "ASKED_FOR_S", 0.0)
    assert written.take_asked() is None
    assert in_use(endpoint, keys) == 0
    publish(endpoint, keys, publication_of(written), overwrite=False)
    assert is_published(endpoint, keys, publication_of(written))


def test_a_task_that_comes_after_the_questions_is_written_on_another_connection(
    endpoint: Endpoint, keys: Keyspace, written: Written, client: redis.Redis
) -> None:
    assert in_use(endpoint, keys) == 1
    events: SimpleQueue[Event] = SimpleQueue()
    with writer(endpoint, keys, events) as thread:
        for number in (2, 3):
            thread.give(task_of(keys, number))
        second, third = next_end(events), next_end(events)
        assert isinstance(second, Written)
        assert isinstance(third, Written)
        assert third.asked is not None
        publish(endpoint, keys, publication_of(written), overwrite=False, asked=written.take_asked())
        for done in (second, third):
            assert client.llen(done.task.staging_key) == 1_000
            done.leave()


def test_a_cancelled_thread_closes_what_it_has_asked_on(endpoint: Endpoint, keys: Keyspace) -> None:
    events: SimpleQueue[Event] = SimpleQueue()
    with writer(endpoint, keys, events) as thread:
        thread.give(task_of(keys, 1))
    while not events.empty():
        if isinstance(event := events.get(), Written):
            event.leave()
    assert in_use(endpoint, keys) == 0
