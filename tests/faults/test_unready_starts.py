"""Programs that start while their endpoint answers and is not ready: they wait for it, and end at once only for nobody.

Each case takes a server, a cluster or a Sentinel group out of service before a program starts.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from demo.processes import Program
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.raw import call
from tests.stage.runs import consume, json_of, produce, require_exact
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

ONE_SLOT = 16_383
PROGRAMS: tuple[Name, Name] = ("server-a", "server-b")
NOT_READY = "endpoint not ready, trying again"


class Trouble:
    """An endpoint that is out of service until `end`; made ready before, with a run to read."""

    def __init__(self, url: str, begin: Callable[[], object], end: Callable[[], object]) -> None:
        produce(url)
        self.url = url
        self.begin = begin
        self.end = end


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def _full_of_clients(kind: Kind, new_server: NewServer, stack: ExitStack) -> Trouble:
    server = new_server(kind)
    admin = stack.enter_context(connect(server))
    admin.ping()
    return Trouble(server.url, lambda: admin.config_set("maxclients", 1), lambda: admin.config_set("maxclients", 100))


def _busy(kind: Kind, new_server: NewServer, stack: ExitStack) -> Trouble:
    """A server with a script that goes on until it is killed; it answers BUSY meanwhile."""
    server = new_server(kind, "--busy-reply-threshold", "1")
    runner = stack.enter_context(connect(server)).connection_pool.get_connection()
    admin = stack.enter_context(connect(server))

    def begin() -> None:
        runner.send_command("EVAL", "while true do end", 0)

        def is_busy() -> bool:
            try:
                return not admin.ping()
            except redis.ResponseError:
                return True

        wait_until(is_busy, description="the script runs")

    def end() -> None:
        admin.execute_command("SCRIPT", "KILL")
        runner.disconnect()

    return Trouble(server.url, begin, end)


def _without_a_slot(kind: Kind, new_server: NewServer, stack: ExitStack) -> Trouble:
    """A cluster in which a slot is nobody's, as when its primary has died and no replica has taken over yet."""
    del stack
    node = new_server(kind, "--cluster-enabled", "yes")
    call(node, "CLUSTER", "ADDSLOTSRANGE", 0, ONE_SLOT)
    wait_until(lambda: b"cluster_state:ok" in call(node, "CLUSTER", "INFO"), description="the cluster serves")
    slots = ("CLUSTER", "DELSLOTS", ONE_SLOT), ("CLUSTER", "ADDSLOTS", ONE_SLOT)
    return Trouble(node.url, lambda: call(node, *slots[0]), lambda: call(node, *slots[1]))


TROUBLES = [_full_of_clients, _busy, _without_a_slot]
MakeTrouble = Callable[[Kind, NewServer, ExitStack], Trouble]


def _started(start_program: StartProgram, program: Name, url: str, *options: str) -> Program:
    """Start a program, and wait until it waits for its endpoint."""
    started = start_program(program, "run", *options, server=url)
    wait_until(lambda: NOT_READY in started.errors() or not started.is_running, description="it waits for its endpoint")
    assert started.is_running, started.errors()
    return started


@pytest.mark.redis_server
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("make", TROUBLES)
def test_what_answers_is_waited_for(
    *,
    make: MakeTrouble,
    program: Name,
    server_kind: Kind,
    new_server: NewServer,
    stack: ExitStack,
    start_program: StartProgram,
) -> None:
    trouble = make(server_kind, new_server, stack)
    trouble.begin()
    started = _started(start_program, program, trouble.url, *(("--once",) if program == "server-b" else ()))
    trouble.end()
    assert started.wait(60) == 0, started.errors()


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("program", "options"), [("server-a", ("--patience-s", "0.3")), ("server-b", ("--wait-s", "0.3"))]
)
@pytest.mark.parametrize("make", TROUBLES)
def test_what_stays_as_it_is_ends_the_waiting(
    *,
    make: MakeTrouble,
    program: Name,
    options: tuple[str, ...],
    server_kind: Kind,
    new_server: NewServer,
    stack: ExitStack,
) -> None:
    trouble = make(server_kind, new_server, stack)
    trouble.begin()
    ended = run_program(program, "run", *options, server=trouble.url)
    assert ended.exit_code == 75, ended.stderr
    trouble.end()


@pytest.mark.parametrize(
    ("program", "options", "exit_code"), [("server-a", (), 75), ("server-b", (), 0), ("server-b", ("--once",), 75)]
)
def test_a_stop_request_ends_the_waiting(
    *,
    program: Name,
    options: tuple[str, ...],
    exit_code: int,
    new_server: NewServer,
    stack: ExitStack,
    start_program: StartProgram,
) -> None:
    trouble = _without_a_slot("valkey9", new_server, stack)
    trouble.begin()
    started = _started(start_program, program, trouble.url, *options)
    started.send(signal.SIGTERM)
    assert started.wait(60) == exit_code, started.errors()


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@pytest.mark.parametrize("moment", range(4))
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_programs_that_start_in_a_failover_of_sentinels_find_the_new_primary(
    *, moment: int, signal_number: int, sentinel_group: SentinelGroup, start_program: StartProgram
) -> None:
    """Before the Sentinels see it, when one or all see it, and when one sees another primary."""
    produce(sentinel_group.url)
    old = sentinel_group.primary()
    if signal_number == signal.SIGSTOP:
        old.pause()
    else:
        old.end(signal_number)

    def flags() -> list[bytes]:
        return [call(sentinel, "SENTINEL", "MASTER", "shop")[9] for sentinel in sentinel_group.sentinels]

    moments: list[Callable[[], bool]] = [
        lambda: True,
        lambda: any(b"down" in flag for flag in flags()) or sentinel_group.primary() is not old,
        lambda: all(b"o_down" in flag for flag in flags()) or sentinel_group.primary() is not old,
        lambda: sentinel_group.primary() is not old,
    ]
    wait_until(moments[moment], description="the failover is that far")
    consumer = start_program("server-b", "run", "--once", server=sentinel_group.url)
    producer = start_program("server-a", "run", "--json", server=sentinel_group.url)
    summary = json_of(producer)
    assert consumer.wait(60) == 0, consumer.errors()  # it may have taken the run before
    require_exact(summary, consume(sentinel_group.url, "--run", summary["run_id"]))
