"""No server, or not the right one: one sentence, the right exit code, and no traceback."""

from __future__ import annotations

import socket

import pytest

from tests.stage.programs import Name, run_program

COMMANDS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("run", "--patience-s", "1")),
    ("server-a", ("user", "list")),
    ("server-a", ("status",)),
    ("server-a", ("purge", "--yes")),
    ("server-b", ("run", "--once", "--wait-s", "1")),
    ("server-b", ("read",)),
    ("server-b", ("status",)),
    ("server-b", ("dead", "list")),
]


CASES = [("port", *command) for command in COMMANDS]
CASES += [(where, *command) for where in ("socket", "host") for command in (COMMANDS[0], COMMANDS[4])]


@pytest.mark.parametrize(("where", "name", "arguments"), CASES)
def test_a_server_that_is_not_there(where: str, name: Name, arguments: tuple[str, ...]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it
        urls = {
            "port": f"redis://user:secret@127.0.0.1:{bound.getsockname()[1]}/0",
            "socket": "unix:///nowhere/redis.sock",
            "host": "redis://no-such-host.invalid:6379/0",
        }
        ended = run_program(name, *arguments, server=urls[where])
    assert (ended.exit_code, ended.stdout) == (69, "")
    sentences = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(sentences) == 1
    assert sentences[0].startswith(f"{name}: ")
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr
