"""What people see: logs on a terminal, reports and lists on stdout."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from demo.servers import Server
from shared.shop.cart_text import TIMES
from tests.stage.programs import Name, environment_of, run_program
from tests.stage.terminals import run_on_terminal

COUNT = "100000"
EVENTS: dict[Name, str] = {"server-a": "run started", "server-b": "waiting for signals"}
OPTIONS: dict[Name, tuple[str, ...]] = {
    "server-a": ("run", "--count", COUNT),
    "server-b": ("run", "--once", "--wait-s", "20"),
}

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])
one_server = pytest.mark.parametrize("server_kind", ["redis7"], indirect=True)


@pytest.fixture
def listed(server: Server, namespace: str) -> None:
    """A run that server-b has not read yet."""
    assert run_program("server-a", "run", "--count", COUNT, server=server, namespace=namespace).exit_code == 0


def _events(text: str) -> list[str]:
    """Return the events of JSON lines; fails if any line is something else."""
    return [json.loads(line)["event"] for line in text.splitlines()]


@one_server
@both_programs
@pytest.mark.parametrize("with_stdout", [True, False])
def test_logs_are_for_people_on_a_terminal(
    *, listed: None, server: Server, program: Name, namespace: str, with_stdout: bool
) -> None:
    ended = run_on_terminal(program, *OPTIONS[program], server=server, namespace=namespace, with_stdout=with_stdout)
    assert ended.exit_code == 0, ended
    event = EVENTS[program]
    lines = [line for line in ended.stderr.splitlines() if event in line]
    assert len(lines) == 1
    assert "info" in lines[0]
    assert "{" not in lines[0]
    assert "\x1b[" in lines[0], "colours"


@one_server
@both_programs
@pytest.mark.parametrize("options", [("--log-format", "json"), ()])
def test_logs_are_json_where_no_terminal_is_and_where_it_was_asked_for(
    *, listed: None, server: Server, program: Name, namespace: str, options: tuple[str, ...]
) -> None:
    if options:
        ended = run_on_terminal(program, *OPTIONS[program], *options, server=server, namespace=namespace)
    else:
        ended = run_program(program, *OPTIONS[program], server=server, namespace=namespace)
    assert ended.exit_code == 0, ended
    assert EVENTS[program] in _events(ended.stderr)


@one_server
@both_programs
def test_logs_for_people_can_be_had_in_a_file_too_and_without_colours(
    listed: None, server: Server, program: Name, namespace: str
) -> None:
    ended = run_program(program, *OPTIONS[program], "--log-format", "console", server=server, namespace=namespace)
    assert ended.exit_code == 0, ended
    event = EVENTS[program]
    assert re.search(rf"^\S+Z \[info +\] {event} ", ended.stderr, re.MULTILINE), ended.stderr
    assert "\x1b" not in ended.stderr
    assert "{" not in ended.stderr


@one_server
def test_a_report_in_words_has_cart_values_verdict_and_times(server: Server, namespace: str) -> None:
    a = run_program(
        "server-a", "run", "--count", "1234", "--segment-values", "1000", server=server, namespace=namespace
    )
    b = run_program("server-b", "run", "--once", "--print-values", "3", server=server, namespace=namespace)
    assert b.exit_code == 0, b
    *report, verdict, times, replies = b.stdout.splitlines()
    assert report == [
        "Cart 1:",
        f"  sku123  AirPods              199.99 {TIMES} 1  199.99",
        f"  sku456  Mechanical Keyboard   89.99 {TIMES} 1   89.99",
        "  total                                    289.98",
        "First 3 values in reverse order:",
        "['1234', '1233', '1232']",
    ]
    found = re.search(r"Signalled run (\S+): 2 segments, digest ([0-9a-f]{32})\.", a.stdout)
    assert found
    assert verdict == (
        f"Run {found[1]} verified: 1,234 values in 2 segments, complete, in order and once, digest {found[2]}."
    )
    assert re.fullmatch(
        r"The signal took [\d,]+ ms, reading and verifying \d+\.\d{3} s \([1-9][\d,]* values/s\)\.", times
    ), times
    assert re.fullmatch(
        r"A reply took [\d.]+ ms \(median\), [\d.]+ ms \(99th percentile\), [\d.]+ ms at most\.", replies
    ), replies


def test_a_list_whose_reader_has_had_enough_ends_quietly(listed: None, server: Server, namespace: str) -> None:
    """The list is longer than a pipe holds, so it is written to one that nobody reads."""
    script = f'"{sys.executable}" -m server_b read | head -3; echo "${{PIPESTATUS[*]}}"'
    environment = environment_of("server-b", server=server, namespace=namespace, env=None)
    ended = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, timeout=60, check=True)
    assert ended.stdout == b"100000\n99999\n99998\n0 0\n"
    assert ended.stderr == b""


@pytest.mark.parametrize(("limit", "printed"), [("0", ""), ("1", "100000\n"), ("3", "100000\n99999\n99998\n")])
def test_a_list_is_printed_up_to_a_limit(
    *, listed: None, server: Server, namespace: str, limit: str, printed: str
) -> None:
    ended = run_program("server-b", "read", "--limit", limit, server=server, namespace=namespace)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, printed, "")
