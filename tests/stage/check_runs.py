"""`check --json` as the tests run it, a user whose rights a test chooses, and a replica."""

from __future__ import annotations

from typing import Any

import pytest

from demo.servers import Server
from tests.stage.programs import Name, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

PROGRAMS: tuple[Name, ...] = ("server-a", "server-b")


def check(program: Name, server: Server | str, *arguments: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Run `check --json` and return the exit code and what it found."""
    ended = run_program(program, "check", "--json", *arguments, server=server, **more)
    assert ended.stdout.count("\n") == 1, ended
    found: dict[str, Any] = ended.json()
    assert found["exit_code"] == ended.exit_code
    return ended.exit_code, found


def user_url(server: Server, *rules: str) -> str:
    """Make a user `worker` with everything, then these rules, and return the URL for it."""
    with connect(server) as client:
        client.execute_command("ACL", "SETUSER", "worker", "reset", "on", ">secret", "~*", "+@all", *rules)
    return f"redis://worker:secret@127.0.0.1:{server.port}/0"


@pytest.fixture
def replica(own_server: Server, new_server: NewServer, server_kind: Kind) -> Server:
    """A replica of `own_server` that has caught up."""
    follower = new_server(server_kind, "--replicaof", "127.0.0.1", str(own_server.port))
    with connect(follower) as client:
        wait_until(
            lambda: client.info("replication")["master_link_status"] == "up", description="the replica has synced"
        )
    return follower
