"""Verdicts on a real terminal: their signs and colours, and that the log does not say the same beside them."""

from __future__ import annotations

import re

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.programs import Name, run_program
from tests.stage.servers import connect
from tests.stage.terminals import run_on_terminal

GREEN, RED, END = "\x1b[32m\x1b[1m", "\x1b[31m\x1b[1m", "\x1b[0m"
RUN: dict[Name, tuple[str, ...]] = {
    "server-a": ("run", "--count", "1000", "--await-verdict-s", "50"),
    "server-b": ("run", "--once", "--wait-s", "20"),
}
UTF_8 = {"PYTHONIOENCODING": "utf-8"}
SUMMARIES: dict[Name, str] = {"server-a": "run finished", "server-b": "run complete"}

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)


@pytest.fixture
def listed(server: Server, namespace: str) -> None:
    """A run that server-b has not read yet."""
    assert run_program("server-a", "run", "--count", "1000", server=server, namespace=namespace).exit_code == 0


def _verdict(text: str) -> str:
    return next(line for line in text.splitlines() if " verified: " in line)


@pytest.mark.parametrize(
    ("env", "before", "after"),
    [
        (UTF_8, f"{GREEN}✓ ", END),
        ({"PYTHONIOENCODING": "ascii"}, f"{GREEN}[ok] ", END),
        (UTF_8 | {"NO_COLOR": "1"}, "✓ ", ""),
        (UTF_8 | {"TERM": "dumb"}, "✓ ", ""),
        (UTF_8 | {"NO_COLOR": ""}, f"{GREEN}✓ ", END),
    ],
)
def test_a_verified_run_has_a_green_tick(
    *, listed: None, server: Server, namespace: str, env: dict[str, str], before: str, after: str
) -> None:
    ended = run_on_terminal(
        "server-b", *RUN["server-b"], server=server, namespace=namespace, with_stdout=True, columns=400, env=env
    )
    assert ended.exit_code == 0, ended
    found = _verdict(ended.stderr)
    assert found.startswith(f"{before}Run ")
    assert found.endswith(f".{after}")
    if after == "":
        assert "\x1b[3" not in ended.stderr, "colours of the log"


def test_a_pipe_gets_the_bare_line(listed: None, server: Server, namespace: str) -> None:
    ended = run_on_terminal("server-b", *RUN["server-b"], server=server, namespace=namespace)
    assert _verdict(ended.stdout).startswith("Run ")
    assert "\x1b" not in ended.stdout


def test_a_failed_run_has_a_red_cross_in_both_programs(listed: None, server: Server, namespace: str) -> None:
    key = Keyspace(namespace).segment(1)
    with connect(server) as client:
        client.lset(key, 3, "wrong")
    stage = {"server": server, "namespace": namespace, "with_stdout": True, "columns": 400, "env": UTF_8}
    ended = run_on_terminal("server-b", *RUN["server-b"], **stage)  # type: ignore[arg-type]
    assert ended.exit_code == 65
    assert f"{RED}✗ Run " in ended.stderr
    assert f"{RED}✗ server-b: run " in ended.stderr
    status = run_on_terminal("server-a", "status", **stage)  # type: ignore[arg-type]
    assert f"{RED}✗ Wrong: " in status.stderr


def test_the_producer_marks_the_verdict_and_status_that_all_is_well(server: Server, namespace: str) -> None:
    stage = {"server": server, "namespace": namespace, "with_stdout": True, "columns": 400, "env": UTF_8}

    def read(written: bytes) -> None:
        if b"Signalled run" in written and not read_by:
            read_by.append(run_program("server-b", "run", "--once", server=server, namespace=namespace).exit_code)

    read_by: list[int] = []
    ended = run_on_terminal("server-a", *RUN["server-a"], **stage, watch=read)  # type: ignore[arg-type]
    assert (ended.exit_code, read_by) == (0, [0])
    assert f"{GREEN}✓ server-b's verdict: verified.{END}" in ended.stderr
    status = run_on_terminal("server-b", "status", **stage)  # type: ignore[arg-type]
    assert f"{GREEN}✓ Nothing is wrong.{END}" in status.stderr


@pytest.mark.parametrize("program", ["server-a", "server-b"])
def test_the_log_does_not_repeat_what_stands_beside_it(
    *, listed: None, server: Server, namespace: str, program: Name
) -> None:
    options = ("run", "--count", "1000") if program == "server-a" else RUN["server-b"]
    together = run_on_terminal(program, *options, server=server, namespace=namespace, with_stdout=True)
    assert SUMMARIES[program] not in together.stderr
    assert re.search(r"Run \S+ verified|Signalled run", together.stderr)
    assert run_program("server-a", "run", "--count", "1000", server=server, namespace=namespace).exit_code == 0
    apart = run_on_terminal(program, *options, server=server, namespace=namespace)
    assert SUMMARIES[program] in apart.stderr
