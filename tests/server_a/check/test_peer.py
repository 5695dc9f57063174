"""`server-a check --peer-url`: canaries that look for a way from one endpoint to the other."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.check.peer import PeerCheck
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.stopping import StopRequest
from tests.stage.check_runs import check, replica, user_url
from tests.stage.programs import StartProgram, run_program
from tests.stage.servers import Kind, NewServer, connect
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import redis

__all__ = ["replica"]


def test_the_same_database_under_two_names(server: Server, namespace: str, client: redis.Redis) -> None:
    for url in (server.url, f"unix://{server.socket_path}"):
        code, found = check("server-a", server, "--peer-url", url, namespace=namespace)
        assert (code, found["peer"]["relation"]) == (0, "same")
        assert (found["peer"]["canaries"], found["peer"]["seen"]) == (20, 20)
        assert 0 < found["peer"]["lag_median_ms"] <= found["peer"]["lag_max_ms"]
    assert not list(client.scan_iter())


def test_a_replica_is_connected(own_server: Server, replica: Server) -> None:
    code, found = check("server-a", own_server, "--peer-url", replica.url)
    assert (code, found["peer"]["relation"], found["peer"]["seen"]) == (0, "connected", 20)
    with connect(own_server) as client:
        assert not list(client.scan_iter())


@pytest.mark.redis_server
def test_another_server_is_not_connected(valkey9: Server, redis7: Server, namespace: str) -> None:
    code, found = check("server-a", valkey9, "--peer-url", redis7.url, namespace=namespace)
    assert (code, found["peer"]["relation"], found["peer"]["canaries"], found["peer"]["seen"]) == (75, "none", 1, 0)
    assert found["peer"]["lag_median_ms"] is None
    assert "neither the same database nor connected" in found["troubles"][0]
    for server in (valkey9, redis7):
        with connect(server) as client:
            assert not list(client.scan_iter())


def test_another_database_of_the_same_server_is_recognised(valkey9: Server, namespace: str) -> None:
    code, found = check("server-a", valkey9, "--peer-url", valkey9.url[:-1] + "1", namespace=namespace)
    assert (code, found["peer"]["relation"]) == (75, "none")
    assert "different databases" in found["troubles"][0]


@pytest.mark.redis_server
@pytest.mark.parametrize("stop_request", [signal.SIGINT, signal.SIGTERM])
def test_canaries_are_removed_when_stopped(
    valkey9: Server, redis7: Server, namespace: str, start_program: StartProgram, stop_request: signal.Signals
) -> None:
    program = start_program("server-a", "check", "--peer-url", redis7.url, server=valkey9, namespace=namespace)
    with connect(valkey9) as client:
        wait_until(lambda: list(client.scan_iter()), description="a canary is written")
        (canary,) = client.scan_iter()
        assert canary.startswith(f"{namespace}:canary:".encode())
        assert 0 < client.pttl(canary) <= 60_000
        program.send(stop_request)
        assert program.wait(60) == 75
        assert not list(client.scan_iter())
    assert "stop request" in program.output()


def test_a_peer_that_does_not_answer(valkey9: Server, namespace: str) -> None:
    code, found = check("server-a", valkey9, "--peer-url", "redis://127.0.0.1:1/0", namespace=namespace)
    assert (code, found["peer"]) == (69, None)
    assert found["troubles"][0].startswith("peer: redis://127.0.0.1:1/0")


def test_a_peer_url_that_is_none_is_named(valkey9: Server) -> None:
    ended = run_program("server-a", "check", "--peer-url", "http://peer", server=valkey9)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "--peer-url" in ended.stderr


def test_the_peers_password(valkey9: Server, namespace: str, own_server: Server, tmp_path: Path) -> None:
    url = user_url(own_server).replace(":secret", "")
    (tmp_path / "password").write_text("secret\n")
    code, found = check("server-a", own_server, "--peer-url", url, namespace=namespace)
    assert code == 77
    assert found["troubles"][0].startswith("peer: ")
    for env in ({"SERVER_B_PASSWORD": "secret"}, {"SERVER_B_PASSWORD_FILE": str(tmp_path / "password")}):
        assert check("server-a", own_server, "--peer-url", url, namespace=namespace, env=env)[0] == 0


def test_a_peer_where_canaries_may_not_be_read(own_server: Server) -> None:
    code, found = check("server-a", own_server, "--peer-url", user_url(own_server, "-hget"))
    assert (code, found["peer"]) == (77, None)
    with connect(own_server) as client:
        assert not list(client.scan_iter())


def test_the_time_for_canaries_begins_when_they_do(
    server: Server, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a slow link it takes longer than they have to tell whether the two are one server."""
    now_s = 0.0

    def ask_slowly() -> bool:
        nonlocal now_s
        now_s += 60.0
        return True

    clock = SimpleNamespace(monotonic=lambda: now_s, perf_counter=time.perf_counter)
    with (
        closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as endpoint,
        closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as peer,
        closing(StopRequest()) as stop,
    ):
        peer_check = PeerCheck(endpoint, peer, Keyspace(namespace), stop)
        monkeypatch.setattr(peer_check, "_is_same_server", ask_slowly)
        monkeypatch.setattr("server_a.check.peer.time", clock)
        found = peer_check.run()
    assert (found.relation, found.canaries, found.seen) == ("same", 20, 20)


@pytest.mark.parametrize("command", ["HELLO", "CLUSTER"])
def test_endpoints_that_do_not_know_what_they_are_asked(new_server: NewServer, server_kind: Kind, command: str) -> None:
    server = new_server(server_kind, "--rename-command", command, "RENAMED")
    code, found = check("server-a", server, "--peer-url", server.url)
    relation = "connected" if command == "HELLO" else "same"
    assert (code, found["peer"]["relation"], found["peer"]["seen"]) == (0, relation, 20)
