"""`status --watch`: a block or a line for each change, redrawn on a terminal, and what ends it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from demo.processes import Program
from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of, run_program
from tests.stage.servers import NewServer
from tests.stage.terminals import run_on_terminal
from tests.stage.unread import run_unread
from tests.stage.waiting import wait_until

Watching = Callable[..., Program]
NOTHING, VERIFIED, WELL = "Nothing of a hand-over is here", "1 verdicts, verified", "Nothing is wrong."

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])


@pytest.fixture
def watching(namespace: str) -> Iterator[Watching]:
    """Starts `status --watch` of a program; killed at the end."""
    with ExitStack() as stack:

        def start(program: Name, server: Server, *options: str) -> Program:
            environment = environment_of(program, server=server, namespace=namespace, env=None)
            started = Program(program, "status", "--watch", *options, environment={**os.environ, **environment})
            stack.callback(started.close)
            return started

        yield start


def _hand_over(server: Server, namespace: str) -> None:
    assert run_program("server-a", "run", "--count", "10", server=server, namespace=namespace).exit_code == 0
    assert run_program("server-b", "run", "--once", server=server, namespace=namespace).exit_code == 0


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
@both_programs
@pytest.mark.parametrize("as_json", [False, True])
def test_a_pipe_gets_each_change_once(
    *, server: Server, namespace: str, watching: Watching, program: Name, as_json: bool
) -> None:
    process = watching(program, server, *(["--json"] if as_json else []))
    first, last = ('"is_empty": true', '"verdict": "verified"') if as_json else (NOTHING, WELL)
    wait_until(lambda: first in process.output(), description="the first status is shown")
    _hand_over(server, namespace)
    wait_until(lambda: last in process.output(), description="the last status is shown")
    process.send(signal.SIGINT)
    assert process.wait(60) == 0, process.errors()
    blocks = process.output().splitlines() if as_json else process.output().split("\n\n")
    assert len(set(blocks)) == len(blocks), "nothing is shown twice"
    assert first in blocks[0]
    assert last in blocks[-1]
    assert "\x1b" not in process.output()
    if as_json:
        assert [json.loads(line)["endpoint"] for line in blocks] == [server.url] * len(blocks)


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
@both_programs
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_watch_that_nobody_reads_ends(
    *, server: Server, namespace: str, program: Name, options: tuple[str, ...]
) -> None:
    ended = run_unread(program, "status", "--watch", *options, server=server, namespace=namespace)
    assert (ended.exit_code, ended.stderr) == (0, ""), ended


@pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)
@both_programs
def test_a_terminal_is_redrawn_until_ctrl_c_which_keeps_the_exit_code(
    *, server: Server, namespace: str, program: Name
) -> None:

    def watched(*, until: str, term: str = "xterm") -> Finished:
        options = ("status", "--watch")
        return run_on_terminal(
            program, *options, server=server, namespace=namespace, with_stdout=True,
            interrupt_at=until.encode(), env={"TERM": term},
        )  # fmt: skip

    ended = watched(until=NOTHING)
    assert ended.exit_code == 75
    assert ended.stderr.startswith("\x1b[H")
    _hand_over(server, namespace)
    assert watched(until=WELL).exit_code == 0
    assert "\x1b" not in watched(until=WELL, term="dumb").stderr


def test_a_server_that_is_lost_is_waited_for_but_not_at_the_start(
    new_server: NewServer, namespace: str, watching: Watching
) -> None:
    server = new_server("valkey9")
    _hand_over(server, namespace)
    process = watching("server-b", server)
    wait_until(lambda: WELL in process.output(), description="the first status is shown")
    server.end(signal.SIGKILL)
    wait_until(lambda: "looking again" in process.errors(), description="the loss is told")
    assert process.is_running
    process.send(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.errors().count("\n") == 1
    assert run_program("server-b", "status", "--watch", server=server, namespace=namespace).exit_code == 69
