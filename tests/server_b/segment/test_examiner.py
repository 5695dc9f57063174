"""The bounded wait for a signalled list, the hint when no signal comes, and the heartbeat meanwhile."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_b import lease
from server_b.group import dead_letters
from server_b.group.dead_letters import DeadLetters
from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from server_b.lease import Lease
from server_b.settings import ConsumerSettings
from shared.advice import CHECK_BOTH_ENDS
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from tests.stage.clocks import Clock
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, HandOver
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

HINT = f"no signals at this endpoint; {CHECK_BOTH_ENDS}"
DAY_MS = 86_400_000


def test_a_list_that_comes_after_its_signal_is_waited_for(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    """As behind replication, where the stream may be ahead of the list."""
    summary = hand_over.produce(count=10)
    names = (keys.segment(1), keys.state(keys.segment(1)))
    dumps: list[Any] = [client.dump(name) for name in names]
    client.delete(*names)

    def arrive() -> None:
        with client.pipeline() as transaction:
            for name, dump in zip(names, dumps, strict=True):
                transaction.restore(name, 0, dump)
            transaction.execute()

    link.at(b"}:state", arrive, nth=5)
    report = hand_over.consume(url=link.url)
    assert (report.run_id, report.verdict, report.digest) == (summary.run_id, "verified", summary.digest)
    assert "list not there yet, left pending" not in hand_over.events()


def test_a_wait_that_ends_while_a_list_is_awaited_ends_with_75(
    server: Server, namespace: str, client: redis.Redis, keys: Keyspace
) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    b = run_program(
        "server-b", "run", "--once", "--wait-s", "0.3", "--settle-s", "50", server=server, namespace=namespace
    )
    assert (b.exit_code, b.stdout) == (75, "")
    assert "entry given back" in b.stderr
    assert "expected a complete run within 0.3 s, got none" in b.stderr


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lease, "time", clock)
    return clock


@pytest.mark.parametrize("is_quiet", [True, False])
def test_ten_seconds_without_a_signal_are_remarked_upon_once(
    *, is_quiet: bool, hand_over: HandOver, clock: Clock
) -> None:
    with closing(StopRequest()) as stop:
        beating = Lease(ConsumerSettings(consumer="b"), stop, hand_over._log(), endpoint="redis://here")
        if not is_quiet:
            beating.found_something()
        logged = []
        for seconds in (0.0, 8.5, 1.0, 0.4, 1.1, 10.0, 60.0):
            clock.move(seconds)
            beating.beat()
            logged.append(len(hand_over.events()))
    assert logged == ([0, 0, 0, 0, 1, 1, 1] if is_quiet else [0] * 7)
    assert set(hand_over.events()) <= {HINT}


@pytest.mark.parametrize("is_quiet", [True, False])
def test_a_consumer_that_no_signal_reaches_says_so(
    *,
    is_quiet: bool,
    hand_over: HandOver,
    link: FaultyLink,
    client: redis.Redis,
    keys: Keyspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ten seconds are over at once, or as soon as something that is no signal has come."""

    def end_the_ten_seconds() -> None:
        monkeypatch.setattr(lease, "QUIET_AFTER_S", 0.0)

    monkeypatch.setattr(lease, "QUIET_AFTER_S", 3_600.0)
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    if is_quiet:
        end_the_ten_seconds()
    else:
        link.at(b"XREADGROUP", lambda: client.xadd(keys.signals(), {"hello": "world"}))
        link.at(b"XACK", end_the_ten_seconds)
    with closing(StopRequest()) as stop:
        link.at(b"XREADGROUP", stop.request, nth=6)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, wait_s=60.0)
    assert hand_over.events().count(HINT) == (1 if is_quiet else 0)


def test_the_oldest_dead_letters_go_when_there_are_ten_thousand(
    endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """A stream is trimmed by whole nodes, of 100 entries where the server's settings are the usual ones."""
    with client.pipeline(transaction=False) as pipeline:
        for number in range(12_000):
            pipeline.xadd(keys.dead_letters(), {"origin": f"{number}-1", "reason": "r", "consumer": "c"})
        pipeline.execute()
    EntrySettler(endpoint, keys, "b").dead_letter(Entry("12000-1", {}), "r")
    letters = DeadLetters(endpoint, keys).list_letters()
    assert dead_letters.MAX_LETTERS == 10_000
    assert 10_000 <= len(letters) <= 10_100
    assert letters[-1].origin == "12000-1"
    assert letters[0].origin == f"{12_001 - len(letters)}-1"


@pytest.mark.parametrize("days", [1, 3])
def test_results_are_kept_for_as_long_as_the_run_says(
    days: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=20, segment_values=10, retain_days=days)
    hand_over.consume()
    assert (days - 1) * DAY_MS < client.pttl(keys.result(summary.run_id)) <= days * DAY_MS


def _wait_for_a_beat(heartbeat: Path) -> None:
    """Wait until the file is touched after now."""
    os.utime(heartbeat, (0, 0))
    wait_until(lambda: heartbeat.stat().st_mtime > 0, description="the heartbeat file is touched")


@pytest.mark.redis_server
def test_a_heart_beats_while_nothing_comes_and_while_the_server_does_not_answer(
    new_server: NewServer, start_program: StartProgram, tmp_path: Path
) -> None:
    server, heartbeat = new_server("redis7"), tmp_path / "heartbeat"
    consumer = start_program("server-b", "run", "--heartbeat-file", str(heartbeat), server=server)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="it waits")
    _wait_for_a_beat(heartbeat)
    _wait_for_a_beat(heartbeat)
    server.pause()
    wait_until(lambda: "endpoint lost" in consumer.errors(), description="it has no answer")
    _wait_for_a_beat(heartbeat)
    server.resume()


class Heart:
    """A heartbeat file that is looked at between two requests."""

    def __init__(self, file: Path) -> None:
        """Have nothing to say yet."""
        self.file = file
        self.beats: list[bool] = []

    def forget(self) -> None:
        """Have the file look as if it had not been touched for years."""
        os.utime(self.file, (0, 0))

    def look(self) -> None:
        """Note whether it has been touched since."""
        self.beats.append(self.has_beaten())

    def has_beaten(self) -> bool:
        """Tell whether it has been touched since."""
        return self.file.stat().st_mtime > 0


@pytest.fixture
def heart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heart:
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    return Heart(tmp_path / "heartbeat")


def test_a_heart_beats_while_a_long_list_is_read(hand_over: HandOver, link: FaultyLink, heart: Heart) -> None:
    """A window's worth of values is on its way at any time, so there is progress for which the heart may beat."""
    hand_over.produce(count=200_000)
    link.at(b"LRANGE", heart.forget, nth=100)
    link.at(b"LRANGE", lambda: wait_until(heart.has_beaten, description="the heart beats"), nth=150)
    link.at(b"LRANGE", heart.look, nth=151)
    assert hand_over.consume(url=link.url, heartbeat_file=str(heart.file)).verdict == "verified"
    assert heart.beats == [True]


def test_a_heart_beats_while_a_list_is_awaited(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace, heart: Heart
) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    with closing(StopRequest()) as stop:

        def look_and_stop() -> None:
            heart.look()
            stop.request()

        link.at(b"}:state", heart.forget, nth=3)
        link.at(b"}:state", look_and_stop, nth=6)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, heartbeat_file=str(heart.file))
    assert heart.beats == [True]
