"""An entry of another schema version is never guessed at: it becomes a dead letter that says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.programs import run_program
from tests.stage.servers import connect

if TYPE_CHECKING:
    import redis

RUN_ID = "20261122T205801123Z-3f9a1c"
FIELDS = {
    "schema_version": "99",
    "run_id": RUN_ID,
    "attempt": "20261122T205801124Z-0a1b2c",
    "segment": "1",
    "segments": "1",
    "count": "10",
    "digest": "97630108292763d6b16b693f7e36d0aa",
}


def test_an_unknown_schema_version_is_dead_lettered(server: Server, client: redis.Redis, namespace: str) -> None:
    fields: dict[Any, Any] = {**FIELDS, "of_schema": "99"}
    origin: Any = client.xadd(f"{namespace}:signals", fields)
    arguments = ("run", "--once", "--wait-s", "0.3", "--json")
    ended = run_program("server-b", *arguments, server=server, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (75, "")

    pending: Any = client.xpending(f"{namespace}:signals", "server-b")
    assert pending["pending"] == 0
    assert not client.exists(Keyspace(namespace).result(RUN_ID))
    letters: Any = client.xrange(Keyspace(namespace).dead_letters())
    assert len(letters) == 1

    (letter,) = [run_program("server-b", "dead", "list", "--json", server=server, namespace=namespace).json()]
    assert letter["origin"] == origin.decode()
    assert letter["reason"] == "signal schema_version: expected 1, got '99'; upgrade server-b first"
    assert letter["fields"] == fields


@pytest.fixture
def outside(valkey9: Server) -> Iterator[redis.Redis]:
    """A client of the shared Valkey 9."""
    with connect(valkey9) as connected:
        yield connected


def test_the_runs_after_it_are_read(valkey9: Server, namespace: str, outside: redis.Redis) -> None:
    outside.xadd(f"{namespace}:signals", {"schema_version": "99", "run_id": RUN_ID, "segment": "1"})
    run = run_program("server-a", "run", "--count", "10", "--json", server=valkey9, namespace=namespace).json()
    ended = run_program("server-b", "run", "--once", "--wait-s", "30", "--json", server=valkey9, namespace=namespace)
    assert (ended.json()["run_id"], ended.json()["verdict"]) == (run["run_id"], "verified")


def test_a_run_of_another_schema_version_is_not_resumed(valkey9: Server, namespace: str, outside: redis.Redis) -> None:
    run = run_program("server-a", "run", "--count", "10", "--json", server=valkey9, namespace=namespace).json()
    outside.hset(f"{namespace}:run:{run['run_id']}", "schema_version", "99")
    ended = run_program("server-a", "run", "--resume", run["run_id"], server=valkey9, namespace=namespace)
    assert ended.exit_code == 2
    assert "schema_version" in ended.stderr
