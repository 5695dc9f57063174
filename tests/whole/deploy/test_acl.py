"""The rules of deploy/acl: enough for every command of each program, and for nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from server_b.group.scripts import RENEW
from shared.check.permissions import permissions_of
from shared.check.requirements import (
    SERVER_A,
    SERVER_A_PURGE,
    SERVER_B_FOLLOW,
    SERVER_B_GROUP,
    SERVER_B_PAGE,
    SERVER_B_RETRY,
    Requirement,
)
from shared.keys import Keyspace
from tests.stage.access_rules import PAGE, PASSWORDS, PURGE, RETRY, USERS, Guarded, guarded, rules
from tests.stage.every_command import (
    run_every_command_of_server_b,
    run_every_other_command_of_server_a,
    run_every_purge,
)
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.raw import call
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

__all__ = ["guarded"]

NEEDS: dict[str, tuple[Requirement, ...]] = {
    "server-a": SERVER_A,
    "server-b": SERVER_B_GROUP + SERVER_B_FOLLOW,
    PURGE: SERVER_A_PURGE,
    RETRY: SERVER_B_RETRY,
    PAGE: SERVER_B_PAGE,
}
ASKED_FOR_IN_VAIN = {"client|setinfo", "acl|whoami", "info", "cluster|slots", "config|get"}
"""redis-py, `check` and whoever opens an endpoint ask for these, and go on without."""
with_and_without_namespace = pytest.mark.parametrize(
    "guarded", ["", "shop1"], ids=["plain", "namespace"], indirect=True
)


@pytest.mark.parametrize("user", USERS)
def test_exactly_the_commands_that_are_needed(user: str) -> None:
    granted = set(re.findall(r"\+([^\s)]+)", rules(user)))
    needed = {permission.name.lower().replace(" ", "|") for permission in permissions_of(NEEDS[user], Keyspace())}
    assert sorted(granted) == sorted(needed)


@with_and_without_namespace
@pytest.mark.parametrize("user", ["server-a", "server-b", RETRY, PAGE])
def test_each_command_on_each_kind_of_key_only_where_it_is_needed(guarded: Guarded, user: str) -> None:
    """Every command that a user may send to one kind of key is asked for on a key of every other kind."""
    needed = permissions_of(NEEDS[user], Keyspace(guarded.namespace))
    every = permissions_of([need for needs in NEEDS.values() for need in needs], Keyspace(guarded.namespace))
    keys = {permission.key for permission in every if permission.key}
    single = [each for each in needed if each.key and sum(part in keys for part in each.command) == 1]
    forms = {(each.name, tuple("KEY" if part == each.key else part for part in each.command)) for each in single}
    allowed = {(each.name, key) for each in needed for key in each.command if key in keys}
    allowed |= {(each.name, key) for each in single for key in keys if _kind(guarded, key) == _kind(guarded, each.key)}
    asked = 0
    with connect(guarded.server) as admin:
        for name, form in sorted(forms):
            for key in sorted(keys):
                answer = admin.execute_command(
                    "ACL", "DRYRUN", user, *(key if part == "KEY" else part for part in form)
                )
                assert (answer == b"OK") == ((name, key) in allowed), f"{user}: {name} {key}: {answer}"
                asked += 1
    assert asked > 50


def _kind(guarded: Guarded, key: str) -> str | None:
    return Keyspace(guarded.namespace).kind_of(key)


@with_and_without_namespace
@pytest.mark.parametrize("program", PASSWORDS)
def test_check_finds_every_right(guarded: Guarded, program: Name) -> None:
    found = guarded.run(program, "check", "--json").json()
    assert all(right["is_allowed"] for right in found["rights"])
    assert (found["troubles"], found["notes"], found["user"]) == ([], [], program)
    assert (found["memory"] is None, found["link"] is None) == (program == "server-b", False)


@pytest.mark.slow
def test_every_run_of_server_a(guarded: Guarded, start_program: StartProgram) -> None:
    run_id = guarded.run("server-a", "run", "--count", "2500", "--segment-values", "1000", "--json").json()["run_id"]
    guarded.run("server-a", "run", "--resume", run_id)
    guarded.run("server-a", "run", "--values", "-", "--users", "3", "--carts", "2", stdin=b"one\ntwo\n")
    no_replica = guarded.run("server-a", "run", "--min-replicas", "1", "--patience-s", "0", codes=(75,))
    assert "--min-replicas" in no_replica.stderr
    consumer = start_program(
        "server-b",
        "run",
        server=guarded.url("server-b"),
        namespace=guarded.namespace,
        env={"SERVER_B_PASSWORD": PASSWORDS["server-b"]},
    )
    guarded.run("server-a", "run", "--count", "10", "--await-verdict-s", "30")
    consumer.send(15)
    assert consumer.wait(60) == 0
    assert guarded.refused() <= ASKED_FOR_IN_VAIN


@with_and_without_namespace
def test_every_other_command_of_server_a(guarded: Guarded) -> None:
    run_every_other_command_of_server_a(guarded)
    assert guarded.refused() <= ASKED_FOR_IN_VAIN
    run_every_purge(guarded)
    assert guarded.refused() <= ASKED_FOR_IN_VAIN
    with connect(guarded.server) as client:
        assert not list(client.scan_iter())


def test_server_a_may_not_purge_and_says_so_in_one_sentence(guarded: Guarded) -> None:
    guarded.run("server-a", "run", "--count", "10")
    with connect(guarded.server) as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        for option in ("--yes", "--dry-run"):
            ended = guarded.run("server-a", "purge", option, codes=(77,))
            assert (ended.stdout, ended.stderr.count("\n")) == ("", 1), ended
            assert "deploy/acl/purge.acl" in ended.stderr
        assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_server_b_may_not_signal_and_dead_retry_says_so_in_one_sentence(guarded: Guarded) -> None:
    keys = Keyspace(guarded.namespace)
    letter = {"origin": "1-1", "reason": "r", "consumer": "c", "field:a": "b"}
    guarded.run("server-a", "run", "--count", "10")  # so that the stream is ours
    with connect(guarded.server) as client:
        client.xadd(keys.dead_letters(), letter)
        ended = guarded.run("server-b", "dead", "retry", codes=(77,))
        assert (ended.stdout, ended.stderr.count("\n")) == ("", 1), ended
        assert "deploy/acl/retry.acl" in ended.stderr
        assert (client.xlen(keys.dead_letters()), client.xlen(keys.signals())) == (1, 1)
        guarded.retry()
        assert (client.xlen(keys.dead_letters()), client.xlen(keys.signals())) == (0, 2)


@with_and_without_namespace
def test_every_command_of_server_b(guarded: Guarded) -> None:
    guarded.run("server-a", "run", "--count", "2500", "--segment-values", "1000")
    run_every_command_of_server_b(guarded)
    assert guarded.refused() <= ASKED_FOR_IN_VAIN


@with_and_without_namespace
def test_the_page_needs_to_read_and_nothing_else(guarded: Guarded) -> None:
    guarded.run("server-a", "run", "--count", "2500", "--segment-values", "1000")
    guarded.run("server-b", "run", "--once", "--wait-s", "30")
    with connect(guarded.server) as client:
        client.xadd(Keyspace(guarded.namespace).dead_letters(), {"origin": "1-1", "reason": "r", "consumer": "c"})
    found = guarded.report("--json").json()
    assert (found["run"]["verdict"], len(found["letters"]), len(found["run"]["carts"])) == ("verified", 1, 1)
    assert guarded.refused() <= ASKED_FOR_IN_VAIN
    writing = {name.decode() for name in call(guarded.server, "COMMAND", "LIST", "FILTERBY", "ACLCAT", "write")}
    assert not writing & set(re.findall(r"\+([^\s)]+)", rules(PAGE)))


def test_server_b_renews_and_gives_back_a_claim(guarded: Guarded) -> None:
    stream = Keyspace(guarded.namespace).signals()
    with connect(guarded.server) as admin, guarded.client("server-b") as client:
        client.xgroup_create(stream, "g", id="0", mkstream=True)
        entry_id = admin.xadd(stream, {"a": "b"})
        client.xreadgroup("g", "c", {stream: ">"})
        assert client.eval(RENEW, 1, stream, "g", "c", entry_id) == 1
        assert client.xclaim(stream, "g", "c", 0, [entry_id], idle=1, justid=True) == [entry_id]


def test_server_b_follows_a_replica(guarded: Guarded, new_server: NewServer, server_kind: Kind, tmp_path: Path) -> None:
    primary = ("--replicaof", "127.0.0.1", str(guarded.server.port))
    replica = Guarded(new_server(server_kind, "--aclfile", str(tmp_path / "users.acl"), *primary), guarded.namespace)
    guarded.run("server-a", "run", "--count", "2500")
    with connect(replica.server) as client:
        wait_until(lambda: client.exists(Keyspace(guarded.namespace).signals()), description="the signal has come")
    assert replica.run("server-b", "check", "--json").json()["role"] == "replica"
    environment = {"SERVER_B_PASSWORD": PASSWORDS["server-b"], "XDG_STATE_HOME": str(tmp_path)}
    followed = run_program(
        "server-b", "run", "--once", "--wait-s", "30", "--json",
        server=replica.url("server-b"), namespace=guarded.namespace, env=environment,
    )  # fmt: skip
    assert (followed.exit_code, followed.json()["verdict"], followed.json()["mode"]) == (0, "verified", "follow")
    assert replica.refused() <= ASKED_FOR_IN_VAIN


FORBIDDEN_TO_BOTH = [
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SHUTDOWN", "CONFIG GET *", "CONFIG SET maxmemory 1",
    "KEYS *", "MONITOR", "CLIENT LIST", "CLIENT KILL TYPE normal", "ACL LIST", "ACL SETUSER server-a +@all",
    "REPLICAOF NO ONE", "SAVE", "SUBSCRIBE c", "PUBLISH c m", "SELECT 1", "SCRIPT FLUSH", "FUNCTION LIST", "RANDOMKEY",
    "GET foreign", "SET foreign v", "DEL {user}", "GET {user}", "SET {user} v", "COPY {segment} foreign",
    "SORT {segment}",
    "HGETALL foreign", "HSET foreign f v", "EXISTS foreign", "XLEN foreign", "XRANGE foreign - +", "LLEN foreign",
    "DUMP {segment}", "MIGRATE h 1 k 0 1", "HSET {foreign_namespace} f v",
]  # fmt: skip
FORBIDDEN: dict[Name, list[str]] = {
    "server-a": [
        *FORBIDDEN_TO_BOTH, "XREADGROUP GROUP g c STREAMS {signals} >", "XREAD STREAMS {signals} 0",
        "XGROUP CREATE {signals} g 0", "XGROUP DESTROY {signals} g", "XACK {signals} g 0-1",
        "XDEL {signals} 0-1", "XTRIM {signals} MAXLEN 0", "EVAL return 1 0", "LPOP {segment}", "HSET {result} f v",
        "UNLINK {result}", "UNLINK {dead_letters}", "PEXPIRE {result} 1", "HDEL {result} f",
        "RENAME {staging} {result}",
        "UNLINK {signals}", "PEXPIRE {signals} 1", "HSET {signals} f v", "RENAME {staging} {signals}", "UNLINK {run}",
        "RENAME {signals} {segment}", "LPUSH {segment} v", "EXPIRE {segment} 1", "PEXPIRE {user} 1",
        "XADD {dead_letters} * f v", "DBSIZE", "LPUSH foreign v",
        "RENAME {staging} foreign", "RENAME foreign {segment}", "UNLINK foreign", "EXPIRE foreign 1", "PING",
    ],
    "server-b": [
        *FORBIDDEN_TO_BOTH, "INFO",
        "HGETALL {user}", "HSET {user} f v", "HSET {sku} f v", "HSET {cart} f v", "HDEL {cart} f",
        "HSET {run} f v", "HSET {state} f v", "PEXPIRE {state} 1", "PEXPIRE {segment} 1", "LPUSH {segment} v",
        "LPOP {segment}", "UNLINK {segment}", "LLEN {staging}", "HSET {canary} f v", "XADD foreign * f v",
        "XGROUP DESTROY {signals} server-b", "XGROUP SETID {signals} server-b 0", "XTRIM {signals} MAXLEN 0",
        "XADD {signals} MAXLEN 0 * f v", "XADD {signals} * f v", "XDEL {signals} 0-1", "PEXPIRE {signals} 0",
        "PEXPIRE {dead_letters} 0", "SET {signals} v", "SET {result} v", "SET {dead_letters} v", "HSET {signals} f v",
        "HDEL {result} f", "GET {result}", "EVAL x 1 {result}", "EVAL x 2 {signals} {result}", "LRANGE {signals} 0 0",
        "UNLINK {signals}", "SCAN 0", "WAIT 0 1", "EVAL x 1 {user}", "EVAL x 1 {segment}",
    ],
}  # fmt: skip


def is_refused(client: redis.Redis, command: list[str]) -> bool:
    """Tell whether the rules refuse a command, rather than its arguments."""
    try:
        client.execute_command(*command)
    except NoPermissionError:
        return True
    except ResponseError:
        pass
    return False


@with_and_without_namespace
@pytest.mark.parametrize("program", PASSWORDS)
def test_everything_else_is_refused(guarded: Guarded, program: Name) -> None:
    names = {permission.key for permission in permissions_of((*SERVER_A, *SERVER_B_GROUP), Keyspace(guarded.namespace))}
    keys = {Keyspace(guarded.namespace).kind_of(name): name for name in sorted(names) if name}
    foreign = "shop2:user:1" if guarded.namespace else "{other}:state"
    with connect(guarded.server) as admin, guarded.client(program) as client:
        for form in FORBIDDEN[program]:
            command = [part.format_map(keys | {"foreign_namespace": foreign}) for part in form.split(" ")]
            assert is_refused(client, command), f"{program} may {form}"
        assert admin.dbsize() == 0


def test_a_script_of_server_b_can_write_nothing_else(guarded: Guarded) -> None:
    keys = Keyspace(guarded.namespace)
    with guarded.client("server-b") as client:
        for key in (keys.user("1"), keys.segment(1), "foreign"):
            with pytest.raises(ResponseError, match=r"(?i)acl|permission|can't access"):
                client.eval("return redis.call('HSET', ARGV[1], 'f', 'v')", 1, keys.signals(), key)


def test_without_the_password_nobody_comes_in(guarded: Guarded) -> None:
    for program in PASSWORDS:
        ended = run_program(program, "check", server=guarded.url(program))
        assert ended.exit_code == 77, ended
