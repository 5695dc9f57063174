"""A login in the clear is said by the programs, once, and only where it was sent."""

from __future__ import annotations

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program
from tests.stage.servers import NewServer

PASSWORD = "s3cr7t9"
WARNING = "warning: the password goes to 0.0.0.0 unencrypted"


@pytest.fixture
def guarded(new_server: NewServer) -> Server:
    """A server that wants PASSWORD; by Linux's rules 0.0.0.0 leads to it, which is no address of this host alone."""
    return new_server("valkey9", "--requirepass", PASSWORD)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("server-a", ("run", "--writers", "2", "--segment-values", "5000")), ("server-b", ("status",))],
)
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_login_that_was_sent_unencrypted_is_said_once(
    guarded: Server, program: Name, arguments: tuple[str, ...], password: str
) -> None:
    variable = f"{program.replace('-', '_').upper()}_PASSWORD"
    url = f"redis://0.0.0.0:{guarded.port}"
    ended = run_program(program, *arguments, server=url, env={variable: password})
    assert ended.exit_code == (77 if password == "wrong" else 0 if program == "server-a" else 75)
    assert ended.stderr.count(WARNING) == 1
    local = run_program(program, *arguments, server=f"redis://localhost:{guarded.port}", env={variable: password})
    assert WARNING not in local.stderr
