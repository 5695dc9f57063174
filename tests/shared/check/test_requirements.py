"""What `shared.check.requirements` names is what the programs send: each command on each kind of key, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from shared.check.permissions import Permission, permissions_of
from shared.check.requirements import (
    SERVER_A,
    SERVER_A_PURGE,
    SERVER_B_FOLLOW,
    SERVER_B_GROUP,
    SERVER_B_RETRY,
    Requirement,
)
from shared.keys import Keyspace
from tests.stage.access_rules import Guarded, guarded
from tests.stage.every_command import (
    run_every_command_of_server_b,
    run_every_other_command_of_server_a,
    run_every_purge,
)
from tests.stage.servers import connect

__all__ = ["guarded"]

Sent = set[tuple[str, str]]
"""Names of commands, and the kinds of keys they were sent with; empty for none."""

OPENING = {"HELLO", "AUTH", "CLUSTER", "ACL", "CLIENT"}
"""What opens a connection or an endpoint, and what `check` asks for and goes on without."""
OF_THE_PEER = {("HGET", "canary")}
"""Sent by `server-a check --peer-url` as the peer's user."""
OF_READINGS = {(name, "reading") for name in ("EVAL", "HRANDFIELD", "HDEL", "HSET", "PEXPIRE", "HMGET")}
"""Sent about a reading that lasts for longer than half a second (tests/server_b/segment/test_telling.py)."""
SENT_ELSEWHERE = {
    *(("PING", ""), ("XREAD", "signals"), ("XRANGE", "signals"), ("UNWATCH", "")), *OF_THE_PEER, *OF_READINGS,
}  # fmt: skip
"""Sent by server-b only after a while of reading, to a replica (test_acl.py), or where something is wrong."""


def _pairs(name: str, words: Iterable[str], keys: Keyspace) -> Sent:
    kinds = {kind for word in words if (kind := keys.kind_of(word)) is not None}
    return {(name, kind) for kind in kinds or {""}}


def _needed(needs: tuple[Requirement, ...], keys: Keyspace) -> Sent:
    permissions: list[Permission] = permissions_of(needs, keys)
    return {pair for permission in permissions for pair in _pairs(permission.name, permission.command, keys)}


def _name(words: list[str]) -> str:
    name = words[0].upper()
    return f"{name} {words[1].upper()}" if name in ("XGROUP", "XINFO") else name


@contextmanager
def recorded(guarded: Guarded) -> Iterator[Sent]:
    """Gather what comes over TCP, as from both programs, and from scripts; it is complete at the end."""
    keys, sent = Keyspace(guarded.namespace), set[tuple[str, str]]()
    with connect(guarded.server) as listening, connect(guarded.server) as admin, listening.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                words = str(command["command"]).split(" ")
                if words == ["ECHO", "end"]:
                    return
                if command["client_type"] != "unix" and _name(words) not in OPENING:
                    sent.update(_pairs(_name(words), words, keys))

        listener = Thread(target=listen)
        listener.start()
        try:
            yield sent
        finally:
            admin.echo("end")
            listener.join(60)


@pytest.mark.slow
def test_server_a_sends_what_it_needs_and_nothing_else(guarded: Guarded) -> None:
    with recorded(guarded) as sent:
        run_every_other_command_of_server_a(guarded)
        run_id = guarded.run("server-a", "run", "--count", "10", "--json").json()["run_id"]
        guarded.run("server-a", "run", "--resume", run_id)
        guarded.run("server-a", "run", "--min-replicas", "1", "--patience-s", "0", codes=(75,))
        guarded.run("server-a", "run", "--await-verdict-s", "1", codes=(75,))
        with connect(guarded.server) as client:  # where none is ours, status looks again
            client.xadd(Keyspace(guarded.namespace).dead_letters(), {"alarm": "fire"})
        guarded.run("server-a", "status", codes=(75,))
    assert sent - {("XADD", "dead_letters"), *OF_THE_PEER} == _needed(SERVER_A, Keyspace(guarded.namespace))


@pytest.mark.slow
def test_purge_sends_what_it_needs_and_nothing_else(guarded: Guarded) -> None:
    guarded.run("server-a", "run", "--count", "20", "--segment-values", "10")
    with recorded(guarded) as sent:
        run_every_purge(guarded)
    assert sent == _needed(SERVER_A_PURGE, Keyspace(guarded.namespace))


@pytest.mark.slow
def test_server_b_sends_what_it_needs_and_nothing_else(guarded: Guarded) -> None:
    with recorded(guarded) as sent:
        guarded.run("server-b", "read", codes=(75,))
    guarded.run("server-a", "run", "--count", "2500", "--segment-values", "1000")
    with recorded(guarded) as sent_later:
        run_every_command_of_server_b(guarded)
    needed = _needed(SERVER_B_GROUP + SERVER_B_FOLLOW + SERVER_B_RETRY, Keyspace(guarded.namespace))
    assert sent | sent_later | SENT_ELSEWHERE == needed
