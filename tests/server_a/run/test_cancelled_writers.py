"""A writer that is cancelled while its first batch is held up on the way: nothing creates its staging key later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import resource_tracker
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from server_a.run import writer_process, writing
from server_a.run.tasks import Event, WriteTask
from server_a.run.values import NumberSource
from server_a.run.writer_process import WriterProcess
from server_a.run.writing import WriterThread
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.segments import segment_range
from tests.stage.faulty_link import FaultyLink

if TYPE_CHECKING:
    import redis

ATTEMPT = "20200101T000000000Z-abcdef"
SIZES = [(n, n) for n in (1, 1_000, 1_001, 2_000, 3_500, 9_000, 50_000)] + [(20_000, 10_000), (30_000, 10_000)]
HELD_S = 0.2  # a writer that does not wait for its replies has ended by then


def _tasks(keys: Keyspace, count: int, segment_values: int) -> list[WriteTask]:
    numbers = range(1, count // segment_values + 1)
    ranges = [segment_range(number, count=count, segment_values=segment_values) for number in numbers]
    named = [(part, keys.segment(part.number)) for part in ranges]
    return [WriteTask(part, key, keys.staging(key, ATTEMPT), ATTEMPT) for part, key in named]


def _cancelled_at(link: FaultyLink, nth: int, cancel: Callable[[], None], look: Callable[[], int]) -> Callable[[], int]:
    """Have a writer cancelled at its nth first batch; return what waits for its end and says what was seen then."""
    seen: list[int] = []
    has_ended = Flag()

    def end() -> None:
        cancel()
        seen.append(look())
        has_ended.set()

    def act() -> None:
        Thread(target=end, daemon=True).start()
        has_ended.wait(HELD_S)

    link.at(b"LPUSH\r", act, nth=nth)

    def result() -> int:
        assert has_ended.wait(60)
        return seen[0]

    return result


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(("count", "segment_values"), SIZES)
def test_a_thread(
    *,
    count: int,
    segment_values: int,
    nth: int,
    keys: Keyspace,
    link: FaultyLink,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "SETTLE_S", 30.0)
    tasks = _tasks(keys, count, segment_values)
    nth = min(nth, len(tasks))
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as far:
        thread = WriterThread(far, NumberSource(count), SimpleQueue[Event]().put)
        seen = _cancelled_at(link, nth, thread.cancel, lambda: client.exists(tasks[nth - 1].staging_key))
        for task in tasks:
            thread.give(task)
        thread.start()
        assert seen() == 1, "the first batch came after the end, when nobody would remove it"
    client.delete(*(task.staging_key for task in tasks))


@pytest.fixture
def _no_tracker_left() -> Iterator[None]:
    """The process of `multiprocessing` that would otherwise live as long as the tests."""
    yield
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_no_tracker_left")
@pytest.mark.parametrize("count", [1, 1_001, 50_000])
def test_a_process(
    count: int, keys: Keyspace, link: FaultyLink, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_process, "END_AFTER_S", 60.0)
    (task,) = _tasks(keys, count, count)
    process = WriterProcess(EndpointSettings(url=parse_url(link.url)), NumberSource(count), SimpleQueue[Event]().put)

    def cancel() -> None:
        process.ask_to_end()
        process.cancel()

    seen = _cancelled_at(link, 1, cancel, lambda: client.exists(task.staging_key))
    process.give(task)
    assert seen() == 1, "the first batch came after the end, when nobody would remove it"
    client.delete(task.staging_key)
