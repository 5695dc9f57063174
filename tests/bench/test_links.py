"""`python -m bench --links` at its smallest, and the proxy it measures through. What it measures is not judged."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.account import accounted
from bench.links.delay_line import END, Carrier, DelayLine
from bench.links.link import Link
from bench.links.two_primaries import TwoPrimaries
from bench.raw import RawSocket, encode
from demo.parent import ending_with_us
from demo.processes import program_environment
from demo.servers import Server
from tests.stage.leftovers import is_alive, processes_of
from tests.stage.servers import binary
from tests.stage.waiting import wait_until

ROOT = Path(__file__).parents[2]
MUCH = 16 * 1024 * 1024
FAR_MS = 4_000.0
PLACES = {
    "5 ms": [
        ("write 4,000 values, 1 segment", "server-a run"),
        ("read and verify 4,000 values, 1 segment", "server-b run"),
        ("write 4,000 values, 4 segments", "server-a run"),
        ("read and verify 4,000 values, 4 segments", "server-b run"),
        ("write 4,000 values, 40 segments", "server-a run"),
        ("read and verify 4,000 values, 40 segments", "server-b run"),
        ("write 500 users", "server-a's path"),
        ("10,000 values, the whole process", "server-a run"),
        ("10,000 values, the whole process", "server-b run"),
    ],
    "60 ms, 250 kB/s": [("write 250 values", "server-a run")],
    "loopback, no proxy": [
        ("write 5,000 lines", "server-a run, write_s"),
        ("write 5,000 lines", "server-a run, beyond one line's"),
        ("write 1,000 users", "server-a's path"),
    ],
}


@pytest.fixture
def far(own_server: Server) -> Iterator[Link]:
    """A link so long that whatever is done beside it comes before what went through it."""
    with Link(own_server.port, delay_ms=FAR_MS) as link:
        yield link


@pytest.fixture
def beside(own_server: Server) -> Iterator[RawSocket]:
    """A connection to the same server that no link delays."""
    with closing(RawSocket(own_server.port)) as raw:
        yield raw


def _bench(*options: str, directory: Path, path: str | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**program_environment(os.environ), "TMPDIR": str(directory)}
    return subprocess.run(
        [sys.executable, "-m", "bench", *options],
        cwd=ROOT,
        capture_output=True,
        env=environment if path is None else {**environment, "PATH": path},
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )


@pytest.mark.slow
def test_every_contest_over_links_has_an_outcome_and_no_process_is_left(tmp_path: Path) -> None:
    sizes = ("--count", "4000", "--users", "1000", "--rounds", "1", "--delays-ms", "5", "--server", "valkey")
    ended = _bench("--links", *sizes, "--json", directory=tmp_path)
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout)
    ((version, facts),) = found["facts"].items()
    places = {
        place.removeprefix(f"{version}, "): [(outcome["job"], outcome["contender"]) for outcome in outcomes]
        for place, outcomes in found["outcomes"].items()
    }
    assert version.startswith("Valkey 9")
    has_writers = places.pop("two primaries on loopback, no proxy", None)
    assert has_writers or "Two primaries: skipped" in facts["skipped"][0]
    assert places == PLACES
    assert facts["round_trip_ms"]["5 ms"] >= 5
    assert facts["attempts"] == [1, 1]
    for outcome in (outcome for outcomes in found["outcomes"].values() for outcome in outcomes):
        _check(outcome)
    assert processes_of(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def _check(outcome: dict[str, Any]) -> None:
    """Check that an outcome is whole."""
    assert outcome["min"] <= outcome["median"] <= outcome["max"]
    assert len(outcome["contender_s"]) == len(outcome["baseline_s"]) == 1
    assert outcome["measure"] == ("seconds" if "whole process" in outcome["job"] else "ratio")


def test_without_redis_cli_the_links_are_skipped_with_the_reason(tmp_path: Path) -> None:
    ended = _bench("--links", directory=tmp_path, path="")
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert b"--links needs redis-cli in PATH" in ended.stderr


def test_a_size_is_handed_over_once_with_memory_and_processor_time(tmp_path: Path) -> None:
    ended = _bench("--scale", "5000", "--segment-values", "2000", "--server", "valkey", "--json", directory=tmp_path)
    assert ended.returncode == 0, ended.stderr.decode()
    row = json.loads(ended.stdout)
    assert (row["values"], row["segments"], row["b"]["verdict"]) == (5_000, 3, "verified")
    for program in (row["a"], row["b"]):
        assert program["wall_s"] > 0
        assert program["cpu_s"] > 0
    assert 0 < row["server_bytes"] < row["server_peak_bytes"]
    assert processes_of(tmp_path) == {}


def test_the_memory_of_a_program_is_not_that_of_the_benchmark(own_server: Server) -> None:
    ours = bytes(bytearray(b"x") * 200_000_000)
    account = accounted("server-a", "run", "--url", own_server.url, "--count", "1000", "--json")
    assert 10_000_000 < account.max_rss_bytes < len(ours)
    assert account.report["count"] == 1_000


def test_bytes_reach_the_server_late_and_replies_come_back_late(far: Link, beside: RawSocket) -> None:
    with socket.create_connection(("127.0.0.1", far.port), 30) as client:
        client.sendall(encode("SET", "key", "value"))
        assert beside.call("EXISTS", "key") == ":0"
        wait_until(lambda: beside.call("EXISTS", "key") == ":1", description="what was sent arrives")
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(64)
        client.settimeout(30)
        assert client.recv(64) == b"+OK\r\n"


def test_a_link_takes_all_that_is_sent_before_the_first_byte_arrives(far: Link, beside: RawSocket) -> None:
    value = os.urandom(MUCH)
    with socket.create_connection(("127.0.0.1", far.port), 30) as client:
        client.sendall(encode("INCR", "first") + encode("SET", "key", value))
        assert beside.call("EXISTS", "first") == ":0"
        wait_until(lambda: beside.call("EXISTS", "key") == ":1", description="all of it arrives")
    assert beside.ask(("GET", "key")) == [value]


def test_the_end_of_a_connection_passes_through_a_link_in_both_directions(
    own_server: Server, beside: RawSocket
) -> None:
    def clients() -> int:
        return len(beside.ask(("CLIENT", "LIST"))[0].splitlines())

    alone = clients()
    with Link(own_server.port, delay_ms=1) as link:
        with socket.create_connection(("127.0.0.1", link.port), 30) as client:
            client.sendall(encode("PING"))
            assert client.recv(64) == b"+PONG\r\n"
            assert clients() == alone + 1
        wait_until(lambda: clients() == alone, description="the server has noticed the end")
        with socket.create_connection(("127.0.0.1", link.port), 30) as client:
            client.sendall(encode("QUIT"))
            assert client.recv(64) == b"+OK\r\n"
            assert client.recv(64) == b""
    assert not is_alive(link.pid)


def test_the_connections_of_a_slow_link_share_what_it_carries(own_server: Server, beside: RawSocket) -> None:
    with (
        Link(own_server.port, delay_ms=0, bytes_per_s=20_000) as link,
        closing(RawSocket(link.port)) as behind,
        socket.create_connection(("127.0.0.1", link.port), 30) as client,
    ):
        client.sendall(encode("SET", "key", bytes(20_000)))
        assert beside.call("EXISTS", "key") == ":0"
        # The first arrives right behind the value, and what is due at once may go on in any order; the second is later.
        assert [behind.call("PING") for _ in range(2)] == ["+PONG", "+PONG"]
        assert beside.call("EXISTS", "key") == ":1"
        assert client.recv(64) == b"+OK\r\n"


@pytest.mark.cluster
def test_each_of_two_primaries_has_half_of_the_segments() -> None:
    with TwoPrimaries(binary("valkey9"), count=8_000) as pair:
        assert sorted(map(len, pair.halves)) == [4, 4]
        pair.raw_writers_s()
        assert pair.sizes() == [4, 4]


def test_a_line_without_a_limit_delivers_all_after_the_delay() -> None:
    line = DelayLine(Carrier(), delay_s=0.5)
    line.put(b"one", 10.0)
    line.put(b"two", 10.25)
    line.put(END, 10.25)
    assert line.arrives_at() == 10.5
    assert [_taken(line, at_s) for at_s in (10.25, 10.5, 10.75)] == [[], [b"one"], [b"two", END]]
    assert line.arrives_at() is None


def test_a_delay_that_changes_keeps_the_order_of_what_is_under_way() -> None:
    line = DelayLine(Carrier(), delay_s=0.5)
    line.put(b"one", 10.0)
    line.delay_s = 0.0
    line.put(b"two", 10.0)
    assert [_taken(line, at_s) for at_s in (10.25, 10.5)] == [[], [b"one", b"two"]]


def test_a_limited_line_delivers_as_fast_as_it_carries() -> None:
    line = DelayLine(Carrier(1_000), delay_s=0.5)
    line.put(bytes(1_000), 10.0)
    line.put(b"next", 10.0)
    assert [len(b"".join(_taken(line, at_s))) for at_s in (10.5, 11.001, 11.51)] == [0, 500, 504]


def test_lines_of_one_carrier_take_turns() -> None:
    carrier = Carrier(1_000)
    line, other = DelayLine(carrier, delay_s=0.5), DelayLine(carrier, delay_s=0.5)
    line.put(bytes(500), 10.0)
    other.put(b"next", 10.0)
    assert _taken(other, 11.0) == []
    assert (len(b"".join(_taken(line, 11.001))), _taken(other, 11.01)) == (500, [b"next"])


def test_what_a_socket_did_not_take_is_the_next_to_be_taken() -> None:
    line = DelayLine(Carrier(), delay_s=0.5)
    line.put(b"one", 10.0)
    line.put(b"two", 10.0)
    taken = line.take(10.5)
    assert taken is not None
    line.give_back(taken[1:])
    assert _taken(line, 10.5) == [b"ne", b"two"]


def _taken(line: DelayLine, at_s: float) -> list[bytes]:
    """Take all that has arrived."""
    return [bytes(piece) for piece in iter(lambda: line.take(at_s), None)]


def test_a_benchmark_that_is_killed_leaves_no_proxy(own_server: Server) -> None:
    code = f"from bench.links.link import Link\nprint(Link({own_server.port}, delay_ms=1).pid, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        pid = int(killed.stdout.readline())
        assert is_alive(pid)
        killed.kill()
    wait_until(lambda: not is_alive(pid), description="the proxy ends with the benchmark")
