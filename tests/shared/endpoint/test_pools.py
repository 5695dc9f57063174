"""Where a password comes from, and that a wrong one is said in one sentence that does not show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program
from tests.stage.raw import call
from tests.stage.sentences import SECRET, require_no_secret, require_sentence
from tests.stage.servers import NewServer

pytestmark = pytest.mark.redis_server

PASSWORD = f"{SECRET}-right"
WRONG = f"{SECRET}-wrong"

both_programs = pytest.mark.parametrize("program", ["server-a", "server-b"])

NOTHING_THERE = 75  # what status says of a server that neither program ever wrote to


@pytest.fixture
def guarded(new_server: NewServer) -> Server:
    """A server whose users want PASSWORD; one of them has an odd name."""
    server = new_server("redis7")
    call(server, "ACL", "SETUSER", "shop:keeper", "on", f">{PASSWORD}", "~*", "+@all")
    call(server, "CONFIG", "SET", "requirepass", PASSWORD)
    return server


def password_variable(program: Name) -> str:
    """Return the name of a program's password variable."""
    return f"{program.upper().replace('-', '_')}_PASSWORD"


@dataclass(frozen=True)
class Ways:
    """What stands in the three places that a password may come from, and whether the one that counts is right."""

    in_url: str = ""
    in_variable: str = ""
    in_file: str = ""
    is_right: bool = False


@both_programs
@pytest.mark.parametrize(
    "ways",
    [
        Ways(in_url=PASSWORD, is_right=True),
        Ways(in_variable=PASSWORD, is_right=True),
        Ways(in_file=PASSWORD, is_right=True),
        Ways(in_url=WRONG),
        Ways(in_variable=WRONG),
        Ways(in_file=WRONG),
        Ways(in_url=WRONG, in_variable=PASSWORD, is_right=True),
        Ways(in_url=PASSWORD, in_variable=WRONG),
        Ways(in_url=WRONG, in_variable=WRONG, in_file=PASSWORD, is_right=True),
        Ways(in_url=PASSWORD, in_variable=PASSWORD, in_file=WRONG),
    ],
)
def test_a_file_beats_the_variable_and_that_the_url(guarded: Server, program: Name, ways: Ways, tmp_path: Path) -> None:
    options: tuple[str, ...] = ()
    if ways.in_file:
        file = tmp_path / "password"
        file.write_text(f"{ways.in_file}\nnot this line\n")
        options = ("--password-file", str(file))
    login = f":{ways.in_url}@" if ways.in_url else ""
    url = f"redis://{login}localhost:{guarded.port}"
    ended = run_program(
        program,
        "status",
        "--log-level",
        "debug",
        *options,
        server=url,
        env={password_variable(program): ways.in_variable},
    )
    require_no_secret(ended)
    if ways.is_right:
        assert ended.exit_code == NOTHING_THERE, ended
    else:
        require_sentence(ended, 77, "expected a user and password it accepts")


@both_programs
def test_password_files_that_hold_none(guarded: Server, program: Name, tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_bytes(b"\ns3cr7t9\n")
    binary.write_bytes(b"\xff\xfes3cr7t9")
    for file in (tmp_path / "missing", tmp_path, empty, binary):
        ended = run_program(program, "status", "--password-file", str(file), server=guarded)
        require_sentence(ended, 2, "--password-file: expected ")
        require_no_secret(ended)


@both_programs
def test_a_password_variable_that_is_no_text(guarded: Server, program: Name) -> None:
    ended = run_program(program, "status", server=guarded, env={password_variable(program): f"{SECRET}\udcff"})
    require_sentence(ended, 2, "the password variable: expected text of UTF-8")
    require_no_secret(ended)


def test_the_peers_password_variable_that_is_no_text(guarded: Server) -> None:
    env = {"SERVER_A_PASSWORD": PASSWORD, "SERVER_B_PASSWORD": f"{SECRET}\udcff"}
    ended = run_program("server-a", "check", "--peer-url", guarded.url, server=guarded, env=env)
    require_sentence(ended, 2, "the password variable: expected text of UTF-8")
    require_no_secret(ended)


@both_programs
def test_a_password_with_every_odd_character(new_server: NewServer, program: Name) -> None:
    odd = "a@b/c:d#e?f%g h&i=j+k"
    server = new_server("redis7", "--requirepass", odd)
    url = f"redis://:a%40b%2Fc%3Ad%23e%3Ff%25g%20h%26i%3Dj%2Bk@localhost:{server.port}"
    ended = run_program(program, "status", server=url)
    assert ended.exit_code == NOTHING_THERE, ended


@both_programs
def test_a_user_in_the_url_and_the_password_elsewhere(guarded: Server, program: Name) -> None:
    url = f"redis://shop%3Akeeper@localhost:{guarded.port}"
    ended = run_program(program, "status", server=url, env={password_variable(program): PASSWORD})
    assert ended.exit_code == NOTHING_THERE, ended
    assert "keeper" not in ended.stdout + ended.stderr
