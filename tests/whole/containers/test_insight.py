"""The connection of Redis Insight: preset, and read-only.

The rules are tried on servers of the tests, as the other access rules are; user and preset on the compose project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from tests.stage.containers import NewProject
from tests.stage.engine import ROOT
from tests.stage.servers import Kind, NewServer, connect, connect_url

if TYPE_CHECKING:
    import redis

RULES = ROOT / "deploy" / "compose" / "users" / "insight.acl"
PASSWORD = "pass-insight"

LOOKS = [
    "SCAN 0 MATCH * COUNT 100", "SCAN 0 TYPE hash", "TYPE user:1", "TTL user:1", "EXISTS user:1", "MEMORY USAGE user:1",
    "HGETALL user:1", "HLEN user:1", "HSCAN user:1 0", "LLEN biglist", "LRANGE biglist 0 99", "LINDEX biglist 0",
    "XLEN signals", "XRANGE signals - +", "XREVRANGE signals + -", "XINFO STREAM signals", "XINFO GROUPS signals",
    "XINFO CONSUMERS signals server-b", "XPENDING signals server-b", "STRLEN text", "GET text", "DBSIZE", "INFO",
    "COMMAND", "MODULE LIST", "SLOWLOG GET", "PING", "SELECT 0", "CLIENT SETNAME insight",
]  # fmt: skip
TOUCHES = [
    "SET text other", "DEL text", "UNLINK biglist", "HSET user:1 f v", "LPUSH biglist v", "LPOP biglist",
    "XADD signals * a b", "XDEL signals 1-1", "XACK signals server-b 1-1", "XGROUP DESTROY signals server-b",
    "XREADGROUP GROUP server-b me STREAMS signals >", "EXPIRE text 1", "RENAME text other", "GETEX text PERSIST",
    "GETDEL text", "COPY text other", "SORT biglist STORE x", "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *",
    "CONFIG GET *", "CONFIG SET maxmemory 1", "ACL LIST", "ACL SETUSER x", "CLIENT LIST", "CLIENT KILL TYPE normal",
    "MONITOR", "SHUTDOWN", "SAVE", "BGSAVE", "REPLICAOF NO ONE", "EVAL x 0", "FUNCTION FLUSH",
    "SCRIPT FLUSH", "SLOWLOG RESET", "SUBSCRIBE c", "PUBLISH c m",
]  # fmt: skip
# Administrative by their category, and granted by name: they tell, and change nothing.
TELL = {"info", "module|list", "slowlog|get"}


@pytest.fixture
def guarded(new_server: NewServer, server_kind: Kind, tmp_path: Path) -> Iterator[tuple[redis.Redis, redis.Redis]]:
    """A user without limits and Insight's, at a server of each kind with something to look at."""
    file = tmp_path / "users.acl"
    file.write_text(RULES.read_text().replace("CHANGE-ME", PASSWORD))
    server = new_server(server_kind, "--aclfile", str(file))
    with connect(server) as admin, connect_url(f"redis://insight:{PASSWORD}@127.0.0.1:{server.port}/0") as insight:
        admin.hset("user:1", "first_name", "Parker")
        admin.lpush("biglist", 1, 2, 3)
        admin.set("text", "t")
        admin.xadd("signals", {"a": "b"}, id="1-1")
        admin.xgroup_create("signals", "server-b", id="0")
        yield admin, insight


def test_it_browses_every_kind_of_key(guarded: tuple[redis.Redis, redis.Redis]) -> None:
    _, insight = guarded
    for command in LOOKS:
        insight.execute_command(*command.split())


def test_it_changes_nothing(guarded: tuple[redis.Redis, redis.Redis]) -> None:
    admin, insight = guarded
    before = {key: admin.dump(key) for key in sorted(admin.scan_iter())}
    for command in TOUCHES:
        with pytest.raises(NoPermissionError):
            insight.execute_command(*command.split())
    assert {key: admin.dump(key) for key in sorted(admin.scan_iter())} == before


def test_every_command_that_writes_or_administers_is_refused(guarded: tuple[redis.Redis, redis.Redis]) -> None:
    admin, _ = guarded
    granted = {name for name, arity in _commands_of(admin, "write", "admin", "dangerous") if _may(admin, name, arity)}
    assert granted == TELL


def _commands_of(admin: redis.Redis, *categories: str) -> Iterator[tuple[str, int]]:
    """Yield name and arity of the commands in these categories, subcommands as `config|get`."""
    names = {str(name) for category in categories for name in admin.acl_cat(category)}
    for name in sorted(names):
        found = admin.execute_command("COMMAND INFO", name)
        arity = next(iter(found.values()))["arity"] if isinstance(found, dict) else found[0][1]
        yield name, abs(arity)


def _may(admin: redis.Redis, name: str, arity: int) -> bool:
    """Tell whether Insight's user may call a command with as many arguments as it needs at least."""
    words = name.split("|")
    try:
        answer = admin.execute_command("ACL DRYRUN", "insight", *words, *["1"] * (arity - len(words)))
    except ResponseError as error:
        raise AssertionError(f"{name}: {error}") from error
    return bool(answer == b"OK")


@pytest.mark.docker
@pytest.mark.kept_together("containers")
def test_its_connection_is_preset_in_compose(new_project: NewProject) -> None:
    """The file names Redis, port and user, and its password lets that user look."""
    project = new_project()
    project.compose("up", "--no-build", "--detach", "--wait", "redis")
    preset = json.loads(project.in_volumes("cat /volumes/insight/databases.json"))
    password = project.in_volumes("cat /volumes/insight/password")
    assert preset == [
        {
            "id": "handover",
            "name": "Handover",
            "host": "redis",
            "port": 6379,
            "username": "insight",
            "password": password,
        }
    ]
    assert project.in_volumes("stat -c '%a %u' /volumes/insight/*").splitlines() == ["600 1000", "400 1000"]
    ask = f"REDISCLI_AUTH={password} redis-cli --user insight"
    assert project.shell("redis", f"{ask} dbsize").strip() == "0"
    assert "NOPERM" in project.shell("redis", f"{ask} set a b 2>&1 || true")
