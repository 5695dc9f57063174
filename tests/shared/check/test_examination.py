"""`check` on real servers: what is there, rights, memory, encryption."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.check.link import ENOUGH_ROUND_TRIPS, ROUND_TRIPS_S
from tests.stage.certificates import Authority
from tests.stage.check_runs import PROGRAMS, check, replica, user_url
from tests.stage.programs import Name, run_program
from tests.stage.servers import NewServer, connect

if TYPE_CHECKING:
    from pathlib import Path

    import redis

__all__ = ["replica"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_server_that_is_fit(program: Name, server: Server, namespace: str, client: redis.Redis) -> None:
    began_s = time.monotonic()
    code, found = check(program, server, namespace=namespace)
    took_s = time.monotonic() - began_s
    assert (code, found["troubles"], found["notes"]) == (0, [], [])
    assert found["endpoint"] == server.url
    assert (found["program"], found["namespace"]) == (program, namespace)
    assert (found["server"], found["version"].split(".")[0]) in {("redis", "7"), ("valkey", "9")}
    assert (found["mode"], found["role"], found["user"], found["tls"]) == ("standalone", "primary", "default", None)
    assert all(right["is_allowed"] for right in found["rights"])
    assert found["memory"]["used_bytes"] > 0
    assert found["memory"]["policy"] == "noeviction"
    assert 0 < found["round_trip_ms"] <= found["round_trip_p99_ms"] < took_s * 1_000
    assert found["round_trips"] / 2 * found["round_trip_ms"] < took_s * 1_000, "half of them took so long or longer"
    assert found["round_trips"] == ENOUGH_ROUND_TRIPS or took_s > ROUND_TRIPS_S
    assert found["link"]["bytes_per_s"] > 10_000
    assert 0 < found["link"]["measured_bytes"] <= 4 * 2**20
    assert found["peer"] is None
    assert not list(client.scan_iter())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_command_that_is_not_allowed_is_named_with_its_key(program: Name, own_server: Server) -> None:
    command, key = ("LPUSH", "{biglist}:staging:") if program == "server-a" else ("XREADGROUP", "signals")
    code, found = check(program, user_url(own_server, f"-{command.lower()}"))
    assert (code, found["user"]) == (77, "worker")
    assert found["troubles"]
    assert all(f"{command} on " in trouble and f"{program}.acl" in trouble for trouble in found["troubles"])
    assert key in found["troubles"][0]
    assert {right["command"] for right in found["rights"] if not right["is_allowed"]} == {command}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_key_that_is_not_allowed_is_named_with_its_commands(program: Name, own_server: Server) -> None:
    code, found = check(program, user_url(own_server, "resetkeys", "~biglist*", "~{biglist*", "~run:*", "~{signals}:*"))
    assert code == 77
    denied = {right["key"].partition(":")[0] for right in found["rights"] if not right["is_allowed"]}
    assert denied == {"signals", "sku", "cart", "canary"} | ({"user"} if program == "server-a" else set())
    assert any("on signals is not allowed" in trouble for trouble in found["troubles"])


def test_a_right_to_read_alone_is_not_one_to_write(own_server: Server) -> None:
    code, found = check("server-b", user_url(own_server, "resetkeys", "%R~*"))
    assert code == 77
    allowed = {right["command"] for right in found["rights"] if right["key"] == "signals" and right["is_allowed"]}
    assert "XREVRANGE" in allowed
    assert "XACK" not in allowed


def test_what_run_can_do_without_is_only_noted(own_server: Server) -> None:
    code, found = check("server-a", user_url(own_server, "-scan", "-wait", "-info", "-acl"))
    assert (code, found["troubles"], found["memory"], found["user"]) == (0, [], None, "worker")
    assert found["notes"] == [
        "not allowed: INFO; only run's comparison of memory before it writes needs it",
        "not allowed: WAIT; only run --min-replicas needs it",
        "not allowed: SCAN; only user list, sku list and status needs it",
    ]


def test_without_transactions_nothing_is_sent_that_would_be_carried_out(own_server: Server) -> None:
    with connect(own_server) as client:
        client.lpush("biglist", "somebody's")
    code, found = check("server-a", user_url(own_server, "-multi"))
    assert code == 77
    assert "MULTI is not allowed" in found["troubles"][0]
    assert "UNLINK" not in {right["command"] for right in found["rights"]}
    with connect(own_server) as client:
        assert list(client.scan_iter()) == [b"biglist"]


def test_asking_for_rights_changes_nothing(own_server: Server) -> None:
    assert run_program("server-a", "run", "--count", "10", server=own_server).exit_code == 0
    with connect(own_server) as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
    for program in PROGRAMS:
        assert check(program, own_server)[0] == 0
    with connect(own_server) as client:
        assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_room_for_the_values(own_server: Server) -> None:
    with connect(own_server) as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 4 * 2**20)
    assert check("server-a", own_server, "--count", "10000")[0] == 0
    code, found = check("server-a", own_server, "--count", "1000000")
    assert code == 75
    assert "no room" in found["troubles"][0]
    assert "raise maxmemory" in found["troubles"][0]
    assert found["memory"]["needed_bytes"] > found["memory"]["free_bytes"] > 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_full_server_is_known_even_without_info(program: Name, own_server: Server) -> None:
    with connect(own_server) as client:
        client.config_set("maxmemory", 1_000_000)
    code, found = check(program, user_url(own_server, "-info"))
    assert code == 75
    assert "a full server" in found["troubles"][0]


@pytest.mark.parametrize(
    ("policy", "limit", "code", "notes"),
    [("allkeys-lru", "1gb", 78, 0), ("allkeys-lru", "0", 0, 0), ("volatile-lru", "1gb", 0, 1)],
)
def test_the_eviction_policy(own_server: Server, policy: str, limit: str, code: int, notes: int) -> None:
    with connect(own_server) as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", limit)
    exit_code, found = check("server-a", own_server)
    assert (exit_code, len(found["notes"]), found["memory"]["policy"]) == (code, notes, policy)
    assert all("noeviction" in sentence for sentence in found["notes"] + found["troubles"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_server_that_takes_no_writes_now(program: Name, own_server: Server) -> None:
    with connect(own_server) as client:
        client.config_set("min-replicas-to-write", 1)
    code, found = check(program, own_server)
    assert code == 75
    assert "NOREPLICAS" in found["troubles"][0]


def test_a_list_of_somebody_elses(own_server: Server) -> None:
    with connect(own_server) as client:
        client.lpush("biglist", "x")
    code, found = check("server-a", own_server)
    assert code == 78
    assert "--overwrite" in found["troubles"][0]
    assert check("server-b", own_server)[0] == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_signals_key_of_somebody_elses(program: Name, own_server: Server) -> None:
    with connect(own_server) as client:
        client.set("signals", "x")
    code, found = check(program, own_server)
    assert code == 78
    assert "signals" in found["troubles"][0]


def test_server_a_on_a_replica(replica: Server) -> None:
    code, found = check("server-a", replica, "--peer-url", replica.url)
    assert (code, found["role"], len(found["troubles"])) == (78, "replica", 1)
    assert "read-only replica" in found["troubles"][0]
    assert found["peer"] is None


def test_server_b_on_a_replica_needs_only_to_read(replica: Server) -> None:
    code, found = check("server-b", user_url(replica, "resetkeys", "%R~*", "-@write", "-@dangerous"))
    assert (code, found["role"], found["troubles"]) == (0, "replica", [])
    assert "XREAD" in {right["command"] for right in found["rights"]}


@pytest.mark.redis_server
def test_tls(new_server: NewServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("server", "127.0.0.1")
    server = new_server("redis7", *authority.directives(certificate), tls=True)
    code, found = check("server-a", server, "--tls-ca", str(authority.file), "--peer-url", server.url)
    assert (code, found["peer"]["relation"]) == (0, "same")
    assert found["tls"]["version"] == "TLSv1.3"
    assert found["tls"]["address"] == f"127.0.0.1:{server.port}"
    assert found["tls"]["days_left"] == 0
    assert "renew it" in found["notes"][0]
    code, found = check("server-b", server, "--tls-insecure")
    assert (code, found["tls"]["certificate_ends"]) == (0, None)


@pytest.mark.redis_server
def test_tls_with_a_certificate_of_ours(new_server: NewServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("client")
    directives = authority.directives(authority.issue("server", "127.0.0.1"), clients="yes")
    server = new_server("redis7", *directives, tls=True)
    options = ("--tls-ca", str(authority.file), "--tls-cert", str(ours.file), "--tls-key", str(ours.key_file))
    assert check("server-b", server, *options)[0] == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_as_people_read_it(program: Name, server: Server, namespace: str) -> None:
    ended = run_program(program, "check", server=server, namespace=namespace)
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    more = ["Hand-over", "Writes"] if program == "server-a" else []
    assert lines[0] == f"{server.url}, namespace {namespace}"
    assert [line.partition(":")[0] for line in lines[1:-1]] == [
        "Server",
        "TLS",
        "User",
        "Memory",
        "Round trip",
        "Rate",
        *more,
    ]
    assert lines[-1] == f"{program} can do its job here."
