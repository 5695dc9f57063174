"""`--quiet`: results alone, with errors; and levels in any case."""

from __future__ import annotations

import re

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program
from tests.stage.terminals import run_on_terminal

RUN: dict[Name, tuple[str, ...]] = {"server-a": ("run", "--count", "1000"), "server-b": ("run", "--once")}

pytestmark = pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)


@pytest.fixture
def listed(server: Server, namespace: str) -> None:
    """A run that server-b has not read yet."""
    assert run_program("server-a", "run", "--count", "1000", server=server, namespace=namespace).exit_code == 0


@pytest.mark.parametrize("program", ["server-a", "server-b"])
@pytest.mark.parametrize("way", ["--quiet", "-q", "variable", "with a level"])
def test_quiet_programs_say_their_results_alone(
    *, listed: None, server: Server, namespace: str, program: Name, way: str
) -> None:
    options = {"variable": (), "with a level": ("-q", "--log-level", "debug")}.get(way, (way,))
    env = {f"{program.replace('-', '_').upper()}_QUIET": "1"} if way == "variable" else {}
    ended = run_program(program, *RUN[program], *options, server=server, namespace=namespace, env=env)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert re.search(r"^Signalled run|^Run \S+ verified", ended.stdout, re.MULTILINE)


def test_a_quiet_program_still_says_its_error(server: Server, namespace: str) -> None:
    ended = run_program("server-b", "run", "--once", "-q", "--wait-s", "0", server=server, namespace=namespace)
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (75, "", 1)
    assert ended.stderr.startswith("server-b: ")


def test_a_quiet_program_leaves_a_terminal_alone(listed: None, server: Server, namespace: str) -> None:
    ended = run_on_terminal("server-b", *RUN["server-b"], "-q", server=server, namespace=namespace)
    assert (ended.exit_code, ended.stderr) == (0, "")


@pytest.mark.parametrize("level", ["INFO", "Info", "info"])
def test_a_level_is_taken_in_any_case(listed: None, server: Server, namespace: str, level: str) -> None:
    options = ("--log-level", level, "--log-format", "JSON")
    ended = run_program("server-b", *RUN["server-b"], *options, server=server, namespace=namespace)
    assert ended.exit_code == 0
    assert '"waiting for signals"' in ended.stderr
