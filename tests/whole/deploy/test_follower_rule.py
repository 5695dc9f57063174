"""The rule for a server-b that only ever follows a replica, put together from the words of deploy/acl/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.keys import Keyspace
from tests.stage.access_rules import PASSWORDS, RULES, Guarded, guarded, rules
from tests.stage.programs import run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

__all__ = ["guarded"]

ASKED_FOR_IN_VAIN = {"client|setinfo", "acl|whoami", "info", "cluster|slots", "config|get"}
"""Whoever opens an endpoint, and `check`, ask for these, and go on without."""


def _rule() -> str:
    said = (RULES / "README.md").read_text().split("If a server-b only ever follows a replica")[1].split("\n## ")[0]
    first, *selectors = re.findall(r"`([+(][^`]*)`", said)
    kept = re.findall(r"\(%R~[^)]*\)", rules("server-b"))
    return f"user server-b reset on >{PASSWORDS['server-b']} -@all {' '.join([first, *kept, *selectors])}\n"


@pytest.mark.parametrize("is_foreign", [False, True])
def test_check_status_and_a_hand_over_need_no_more(
    *, is_foreign: bool, guarded: Guarded, new_server: NewServer, server_kind: Kind, tmp_path: Path
) -> None:
    keys, followers = Keyspace(), tmp_path / "followers.acl"
    followers.write_text(_rule())
    if is_foreign:  # which status looks at twice
        with connect(guarded.server) as client:
            client.xadd(keys.dead_letters(), {"alarm": "fire"})
    guarded.run("server-a", "run", "--count", "10")
    primary = ("--replicaof", "127.0.0.1", str(guarded.server.port))
    replica = Guarded(new_server(server_kind, "--aclfile", str(followers), *primary), "")
    with connect(replica.server) as client:
        wait_until(lambda: client.exists(keys.signals()), description="the signal has come")
    rights = replica.run("server-b", "check", "--json").json()["rights"]
    assert [right for right in rights if not right["is_allowed"]] == []
    environment = {"SERVER_B_PASSWORD": PASSWORDS["server-b"], "XDG_STATE_HOME": str(tmp_path)}
    for command, exit_code in ((("run", "--once", "--wait-s", "30"), 0), (("status",), 75 if is_foreign else 0)):
        ended = run_program("server-b", *command, server=replica.url("server-b"), namespace="", env=environment)
        assert ended.exit_code == exit_code, ended
    assert replica.refused() <= ASKED_FOR_IN_VAIN
