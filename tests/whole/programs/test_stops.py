"""SIGTERM and SIGINT: what has begun is left in a state from which it goes on."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import assert_exact, lines_of, verify
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, list_keys
from tests.stage.programs import StartProgram, run_program
from tests.stage.victims import Victim
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis


class Stopped(Victim):
    """A program that the link asks to stop."""

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Ask it; the link goes on once the program has been given the signal."""
        self.there().send(signal_number)


@pytest.fixture
def stopped() -> Stopped:
    return Stopped()


@pytest.mark.parametrize(
    ("signal_number", "request_text", "nth"),
    [(signal.SIGTERM, b"LPUSHX", 5), (signal.SIGINT, b"LPUSHX", 100), (signal.SIGTERM, b"XADD", 2)],
)
def test_a_stopped_producer_says_how_to_go_on(
    *,
    signal_number: int,
    request_text: bytes,
    nth: int,
    server: Server,
    namespace: str,
    link: FaultyLink,
    stopped: Stopped,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    arguments = ("run", "--count", "300000", "--segment-values", "60000")
    link.at(request_text, partial(stopped.stop, signal_number), nth=nth)
    stopped.program = start_program("server-a", *arguments, server=link.url, namespace=namespace)
    assert stopped.program.wait(60) == 75, stopped.program.errors()
    assert stopped.program.output() == ""
    assert not any(":staging:" in key for key in list_keys(client, keys))
    found = re.search(r"go on with: (server-a .*)", stopped.program.errors())
    assert found
    program, *command = shlex.split(found[1])
    assert program == "server-a"
    a = run_program("server-a", *command, "--json", server=server)
    assert a.exit_code == 0, a.stderr
    assert_exact(client, keys, a.json(), verify(server, namespace, a.json()["run_id"]), count=300_000)


def test_a_consumer_stopped_between_two_segments_ends_with_75_and_another_goes_on(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    stopped: Stopped,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
) -> None:
    arguments = ("run", "--count", "50000", "--segment-values", "10000", "--json")
    summary = run_program("server-a", *arguments, server=server, namespace=namespace).json()
    link.at(b"LRANGE", stopped.stop, nth=15)
    stopped.program = start_program("server-b", "run", "--once", "--json", server=link.url, namespace=namespace)
    assert stopped.program.wait(60) == 75, stopped.program.errors()
    assert lines_of(stopped.program) == []
    assert 1 <= client.hlen(keys.result(summary["run_id"])) < 5
    # the entry it had taken already behind the one in hand is given back, as if it had not been delivered
    assert group.deliveries() in ([], [0])
    assert len(group.names()) == len(group.deliveries())
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=50_000)


@pytest.mark.parametrize(("options", "exit_code"), [((), 0), (("--once",), 75)])
def test_a_consumer_that_waits_stops_at_once(
    *,
    options: tuple[str, ...],
    exit_code: int,
    server: Server,
    namespace: str,
    start_program: StartProgram,
    group: Group,
) -> None:
    consumer = start_program("server-b", "run", *options, server=server, namespace=namespace)
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="it waits")
    consumer.send(signal.SIGTERM)
    assert consumer.wait(60) == exit_code
    assert group.names() == set()
    assert "Traceback" not in consumer.errors()


def test_a_serving_consumer_gives_its_segment_back(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    stopped: Stopped,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
) -> None:
    """A list that has not come yet: the next consumer may claim the entry at once."""
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    link.at(b"}:state", stopped.stop, nth=4)
    arguments = ("run", "--consumer", "one", "--claim-idle-ms", "60000")
    stopped.program = start_program("server-b", *arguments, server=link.url, namespace=namespace)
    assert stopped.program.wait(60) == 0, stopped.program.errors()
    assert group.pending() == {"one": 1}
    assert group.member("two").claim(idle_ms=60_000, after="0-0")[1] is not None


@pytest.mark.parametrize(("options", "exit_code"), [((), 0), (("--once",), 75)])
def test_a_consumer_is_stopped_while_its_endpoint_is_away(
    *,
    options: tuple[str, ...],
    exit_code: int,
    namespace: str,
    link: FaultyLink,
    stopped: Stopped,
    start_program: StartProgram,
    group: Group,
) -> None:
    def go_away() -> None:
        link.refuse()
        link.cut()

    link.at(b"XREADGROUP", go_away, nth=3)
    consumer = start_program("server-b", "run", *options, server=link.url, namespace=namespace)
    wait_until(lambda: "endpoint lost" in consumer.errors(), description="it has lost its endpoint")
    consumer.send(signal.SIGTERM)
    assert consumer.wait(60) == exit_code, consumer.errors()
    link.accept()


def test_a_second_signal_ends_at_once(
    namespace: str, link: FaultyLink, stopped: Stopped, start_program: StartProgram
) -> None:
    def stop_twice() -> None:
        stopped.stop(signal.SIGINT)
        stopped.stop(signal.SIGTERM)
        stopped.there().wait(60)

    link.at(b"LPUSHX", stop_twice, nth=3)
    stopped.program = start_program("server-a", "run", "--count", "500000", server=link.url, namespace=namespace)
    assert stopped.program.wait(60) in (128 + signal.SIGINT, 128 + signal.SIGTERM)


def test_a_consumer_stopped_while_it_records_during_an_outage_gives_its_segment_back(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    stopped: Stopped,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
) -> None:
    summary = run_program("server-a", "run", "--json", server=server, namespace=namespace).json()
    link.at(b"XACK", stopped.stop, is_forwarded=False)
    arguments = ("run", "--consumer", "one", "--claim-idle-ms", "60000")
    stopped.program = start_program("server-b", *arguments, server=link.url, namespace=namespace)
    assert stopped.program.wait(60) == 0, stopped.program.errors()
    assert group.pending() == {"one": 1}
    assert_exact(client, keys, summary, verify(server, namespace, summary["run_id"]), count=10_000)


def test_a_heartbeat_file_that_can_not_be_written_any_more_ends_the_consumer_and_no_entry(
    *,
    server: Server,
    namespace: str,
    link: FaultyLink,
    start_program: StartProgram,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "heartbeats"
    folder.mkdir()
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    link.at(b"}:state", partial(shutil.rmtree, folder), nth=4)
    arguments = ("run", "--consumer", "one", "--heartbeat-file", str(folder / "one"))
    consumer = start_program("server-b", *arguments, server=link.url, namespace=namespace)
    assert consumer.wait(60) == 2, consumer.errors()
    assert "--heartbeat-file: expected a file that can be written" in consumer.errors()
    assert group.pending() == {"one": 1}
    assert not client.exists(keys.dead_letters())
