"""What stands in Redis after a run: the signals' fields, and the types and names of everything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.digest import DIGEST_BYTES, blocks_of, combined_digest, run_digest
from tests.stage.programs import run_program
from tests.stage.servers import NewServer, connect

if TYPE_CHECKING:
    import redis

TOKEN = r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}"
FIELDS = {
    "run_id": TOKEN,
    "schema_version": "1",
    "attempt": TOKEN,
    "segment": "[1-9][0-9]*",
    "segments": "[1-9][0-9]*",
    "count": "[1-9][0-9]*",
    "digest": "[0-9a-f]{32}",
}


def _signals(client: redis.Redis, namespace: str) -> list[dict[str, str]]:
    """Return the fields of every signal, oldest first."""
    entries: Any = client.xrange(f"{namespace}:signals")
    return [{name.decode(): value.decode() for name, value in fields.items()} for _entry_id, fields in entries]


def test_the_signal_of_a_run_of_one_segment(server: Server, client: redis.Redis, namespace: str) -> None:
    run = run_program("server-a", "run", "--count", "1234", "--json", server=server, namespace=namespace).json()
    (fields,) = _signals(client, namespace)
    assert list(fields) == list(FIELDS)
    for name, pattern in FIELDS.items():
        assert re.fullmatch(pattern, fields[name]), name
    assert (fields["run_id"], fields["segment"], fields["segments"]) == (run["run_id"], "1", "1")
    assert fields["count"] == "1234"
    assert fields["attempt"] > fields["run_id"]


def test_the_signals_of_a_run_of_several_segments(server: Server, client: redis.Redis, namespace: str) -> None:
    run = run_program(
        "server-a", "run", "--count", "10", "--segment-values", "4", "--json", server=server, namespace=namespace
    ).json()
    found = _signals(client, namespace)
    assert [set(fields) for fields in found] == [set(FIELDS)] * 3
    assert [(fields["segment"], fields["segments"], fields["count"]) for fields in found] == [
        ("1", "3", "4"),
        ("2", "3", "4"),
        ("3", "3", "2"),
    ]
    assert {fields["run_id"] for fields in found} == {run["run_id"]}
    assert run_digest(fields["digest"] for fields in found) == run["digest"]


def test_the_signal_of_a_file_has_no_other_fields(valkey9: Server, namespace: str) -> None:
    lines = b"\xff\n\n\r"
    ended = run_program("server-a", "run", "--values", "-", server=valkey9, namespace=namespace, stdin=lines)
    assert ended.exit_code == 0
    with connect(valkey9) as client:
        (fields,) = _signals(client, namespace)
    assert list(fields) == list(FIELDS)


@pytest.mark.parametrize("segments", [1, 3])
def test_the_state_of_a_segment_names_what_its_signal_names(valkey9: Server, namespace: str, segments: int) -> None:
    arguments = ("run", "--count", "9", "--segment-values", str(9 // segments))
    run_program("server-a", *arguments, server=valkey9, namespace=namespace)
    with connect(valkey9) as client:
        _assert_states_name_what_signals_name(client, namespace, segments)


def _assert_states_name_what_signals_name(client: redis.Redis, namespace: str, segments: int) -> None:
    for number, fields in enumerate(_signals(client, namespace), start=1):
        key = f"{namespace}:biglist" + (f":{number}" if number > 1 else "")
        raw: Any = client.hgetall(f"{{{key}}}:state")
        blocks = raw.pop(b"blocks")
        assert combined_digest([blocks]).hex() == fields["digest"]
        assert len(blocks) == DIGEST_BYTES * blocks_of(int(fields["count"]))
        state = {name.decode(): value.decode() for name, value in raw.items()}
        assert state == {name: fields[name] for name in ("run_id", "attempt", "count", "digest")}
        assert client.llen(key) == int(fields["count"])
        assert client.ttl(key) == -1


def test_the_keys_of_a_run_and_its_verdict_are_those_of_the_design(
    server: Server, client: redis.Redis, namespace: str
) -> None:
    arguments = ("run", "--count", "10", "--segment-values", "5", "--json")
    run_id = run_program("server-a", *arguments, server=server, namespace=namespace).json()["run_id"]
    run_program("server-b", "run", "--once", "--wait-s", "30", server=server, namespace=namespace)
    keys = sorted({key.decode() for key in client.scan_iter(match=f"*{namespace}*", count=1_000)})
    kinds: list[Any] = [client.type(key) for key in keys]
    types = {key.replace(namespace, "n"): kind.decode() for key, kind in zip(keys, kinds, strict=True)}
    assert types == {
        "n:user:1": "hash",
        "n:sku:sku123": "hash",
        "n:sku:sku456": "hash",
        "n:cart:1": "hash",
        "n:biglist": "list",
        "n:biglist:2": "list",
        "{n:biglist}:state": "hash",
        "{n:biglist:2}:state": "hash",
        f"n:run:{run_id}": "hash",
        f"{{n:signals}}:result:{run_id}": "hash",
        "n:signals": "stream",
    }


@pytest.mark.redis_server
def test_without_a_namespace_the_names_are_those_of_the_exercise(new_server: NewServer) -> None:
    own_server = new_server("redis7")
    run_id = run_program("server-a", "run", "--json", server=own_server).json()["run_id"]
    with connect(own_server) as client:
        keys = {key.decode() for key in client.scan_iter()}
        assert keys == {
            "user:1",
            "sku:sku123",
            "sku:sku456",
            "cart:1",
            "biglist",
            "{biglist}:state",
            f"run:{run_id}",
            "signals",
        }
        assert client.lrange("biglist", 0, 9) == [b"%d" % number for number in range(10_000, 9_990, -1)]
