"""How far a run is, on a real terminal: at every width, for resumed runs, and for consumers that share one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.programs import Name, run_program
from tests.stage.servers import connect
from tests.stage.stalling_link import StallingLink
from tests.stage.terminals import drawn_lines, run_on_terminal
from tests.stage.waiting import wait_until

COUNT = "100000"
SEGMENTS = 10
HOLD_S = 1.05  # a line appears after a second
# Each hundred times in a run of so many values.
REQUESTS: dict[Name, bytes] = {"server-a": b"LPUSHX", "server-b": b"LRANGE"}
REPLIES: dict[Name, bytes] = {"server-a": b":%d\r\n", "server-b": b"\r\n%d\r\n"}  # a length, and a value
LABELS: dict[Name, str] = {"server-a": "Writing", "server-b": "Reading"}
OPTIONS: dict[Name, tuple[str, ...]] = {
    "server-a": ("run", "--count", COUNT),
    "server-b": ("run", "--once", "--wait-s", "20"),
}
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}

one_server = pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
each_on_one_server = pytest.mark.parametrize(
    ("server_kind", "program"), [("valkey9", "server-a"), ("redis7", "server-b")], indirect=["server_kind"]
)


@pytest.fixture
def listed(server: Server, namespace: str) -> None:
    """A run that server-b has not read yet."""
    assert run_program("server-a", "run", "--count", COUNT, server=server, namespace=namespace).exit_code == 0


Stalling = Callable[..., StallingLink]


@pytest.fixture
def stalling(server: Server) -> Iterator[Stalling]:
    """Links to `server` on which the connection of the values stands still for a second at some of them."""
    with ExitStack() as stack:

        def start(program: Name, *values: int) -> StallingLink:
            texts = (REPLIES[program] % value for value in values)
            return stack.enter_context(StallingLink(server.port, *texts, stall_s=HOLD_S))

        yield start


def _hold_a_second() -> None:
    until = time.monotonic() + HOLD_S
    wait_until(lambda: time.monotonic() > until, description="a second has gone by")


def _rates(lines: list[str]) -> list[float]:
    """Return the values a second that lines tell."""
    found = [re.search(r"([\d.,]+)([kM]?)(?: values)?/s", line) for line in lines]
    return [float(rate[1].replace(",", "")) * _UNITS[rate[2]] for rate in found if rate]


@each_on_one_server
@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_run_of_more_than_a_second_shows_how_far_it_is_on_one_line(
    *, listed: None, stalling: Stalling, program: Name, namespace: str, columns: int
) -> None:
    """The first second lets the line appear, another lets it know how long the rest takes."""
    link = stalling(program, *sorted((5_000, 55_000, 75_000), reverse=program == "server-b"))
    ended = run_on_terminal(program, *OPTIONS[program], "--json", server=link.url, namespace=namespace, columns=columns)
    assert ended.exit_code == 0, ended
    assert ended.json()["count"] == int(COUNT)
    lines = drawn_lines(ended.stderr)
    assert lines
    assert max(map(len, lines)) < columns
    assert all(re.search(r"\b\d+%", line) for line in lines), lines
    assert [line for line in lines if re.search(r"/s\b.* \d+s left\b", line)], lines
    assert lines[-1].partition("%")[0].endswith("100")
    if columns > 40:
        assert all(line.startswith(f"{LABELS[program]} ") for line in lines)
        assert "100k of 100k values" in lines[-1] or "100,000 of 100,000 values" in lines[-1]
    # a row for each line of the log, and one for this
    assert len(ended.stderr.split("\n")) < 10


@each_on_one_server
def test_a_long_run_draws_nothing_where_stderr_is_no_terminal(
    listed: None, link: FaultyLink, program: Name, namespace: str
) -> None:
    link.at(REQUESTS[program], _hold_a_second, nth=5)
    ended = run_program(program, *OPTIONS[program], server=link.url, namespace=namespace)
    assert ended.exit_code == 0, ended
    assert all(json.loads(line) for line in ended.stderr.splitlines())
    assert "\r" not in ended.stdout


@each_on_one_server
@pytest.mark.parametrize(("options", "term"), [(("--log-format", "json"), "xterm"), ((), "dumb")])
def test_a_long_run_draws_nothing_among_json_lines_nor_on_a_dumb_terminal(
    *, listed: None, link: FaultyLink, program: Name, namespace: str, options: tuple[str, ...], term: str
) -> None:
    link.at(REQUESTS[program], _hold_a_second, nth=5)
    ended = run_on_terminal(
        program, *OPTIONS[program], *options, server=link.url, namespace=namespace, env={"TERM": term}
    )
    assert ended.exit_code == 0, ended
    assert "\x1b" not in ended.stderr
    assert not re.search(r"\b\d+%", ended.stderr)


@one_server
def test_a_log_line_is_not_written_behind_the_drawn_one(
    listed: None, server: Server, stalling: Stalling, namespace: str
) -> None:
    link = stalling("server-b", 5_000)
    options = ("--log-level", "debug")
    ended = run_on_terminal("server-b", *OPTIONS["server-b"], *options, server=link.url, namespace=namespace)
    assert drawn_lines(ended.stderr)
    events = [line for line in ended.stderr.split("\n") if "segment examined" in line]
    assert len(events) == 1
    assert "%" not in events[0].rpartition("\x1b[K")[2].partition("segment examined")[0]


@one_server
def test_a_resumed_run_does_not_sell_what_was_there_as_its_speed(
    server: Server, stalling: Stalling, namespace: str
) -> None:
    """Its first reply takes a second, so that ten thousand values never look like more in one."""
    options = ("--count", COUNT, "--segment-values", "10000", "--writers", "1")
    run_id = run_program("server-a", "run", *options, "--json", server=server, namespace=namespace).json()["run_id"]
    keys = Keyspace(namespace)
    last = keys.segment(SEGMENTS)
    with connect(server) as client:
        client.delete(last, keys.state(last))
    link = stalling("server-a", 1_000)
    ended = run_on_terminal("server-a", "run", "--resume", run_id, server=link.url, namespace=namespace, columns=160)
    assert ended.exit_code == 0, ended
    lines = drawn_lines(ended.stderr)
    assert re.search(r"  9\d%  9\d,000 of 100,000 values  .*  segment 10 of 10$", lines[0]), lines
    assert lines[-1].partition("%")[0].endswith("100")
    assert max(_rates(lines)) <= 10_000, lines


def _read_by_others(server: Server, namespace: str, *, unread: range) -> tuple[str, dict[bytes, bytes]]:
    """Write a run, have it read, and let some segments be unread again; return its id and their verdicts."""
    options = ("--count", COUNT, "--segment-values", "10000", "--json")
    run_id = run_program("server-a", "run", *options, server=server, namespace=namespace).json()["run_id"]
    assert run_program("server-b", "run", "--once", server=server, namespace=namespace).exit_code == 0
    keys = Keyspace(namespace)
    with connect(server) as client:
        fields = [str(number).encode() for number in unread]
        verdicts = client.hmget(keys.result(run_id), fields)
        client.hdel(keys.result(run_id), *fields)
        for _, entry in client.xrange(keys.signals()):
            if entry[b"segment"] in fields:
                client.xadd(keys.signals(), entry)
    return run_id, dict(zip(fields, verdicts, strict=True))


@one_server
def test_a_consumer_that_shares_a_run_counts_what_others_read(
    server: Server, stalling: Stalling, namespace: str
) -> None:
    run_id, _ = _read_by_others(server, namespace, unread=range(6, SEGMENTS + 1))
    link = stalling("server-b", 95_000)
    options = ("run", "--run", run_id, "--wait-s", "20")
    ended = run_on_terminal("server-b", *options, server=link.url, namespace=namespace, columns=160)
    assert ended.exit_code == 0, ended
    lines = drawn_lines(ended.stderr)
    assert "  100%  100,000 of 100,000 values  " in lines[-1], lines
    assert lines[-1].endswith("  5 of 10 segments verified, 5 by others"), lines
    assert max(_rates(lines)) <= 50_000, lines


@one_server
@pytest.mark.parametrize("is_once", [True, False])
def test_a_consumer_that_waits_for_others_says_so_and_sees_them_end(
    *, server: Server, namespace: str, is_once: bool
) -> None:
    run_id, verdicts = _read_by_others(server, namespace, unread=range(6, SEGMENTS + 1))
    keys, last = Keyspace(namespace), str(SEGMENTS).encode()
    with connect(server) as client:
        newest = client.xrevrange(keys.signals(), count=1)[0]
        assert newest[1][b"segment"] == last
        client.xdel(keys.signals(), newest[0])

    def read_by_another(written: bytes) -> None:
        if b"values  waiting" in written:
            with connect(server) as client:
                client.hset(keys.result(run_id), last, verdicts[last])

    # a serving one hears nothing of the end, and goes on waiting for signals
    options, until = (("--run", run_id), b"") if is_once else ((), b"6 by others")
    terminal: dict[str, Any] = {"columns": 160, "watch": read_by_another, "interrupt_at": until}
    ended = run_on_terminal("server-b", "run", *options, server=server, namespace=namespace, **terminal)
    assert ended.exit_code == 0, ended
    lines = drawn_lines(ended.stderr)
    assert [line for line in lines if "  90%  90,000 of 100,000 values  waiting for signals  " in line], lines
    assert lines[-1].endswith("  4 of 10 segments verified, 6 by others"), lines
    assert "  100%  100,000 of 100,000 values" in lines[-1], lines
