"""A and B at different ways to one database, besides the pairs whose commands stand in docs/endpoints.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.raw import call
from tests.stage.runs import consume, produce, require_exact
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.redis_server


def test_a_replica_of_a_replica(new_server: NewServer, tmp_path: Path) -> None:
    primary = new_server("redis7")
    first = _replica_of(primary, new_server)
    second = _replica_of(first, new_server)
    summary = produce(primary.url, "--count", "20000", "--segment-values", "5000")
    report = consume(second.url, env={"XDG_STATE_HOME": str(tmp_path)})
    require_exact(summary, report)
    assert report["mode"] == "follow"


def _replica_of(server: Server, new_server: NewServer) -> Server:
    replica = new_server("redis7", "--replicaof", f"127.0.0.1 {server.port}")
    wait_until(lambda: call(replica, "ROLE")[3] == b"connected", description="the replica is connected")
    return replica


def test_a_by_tls_and_b_without(authority: Authority, trust: tuple[str, str], new_server: NewServer) -> None:
    """A server may have a TLS port for one network and a socket for its own host."""
    server = new_server("redis7", *authority.directives(authority.issue("server", "127.0.0.1")), tls=True)
    summary = produce(server.url, *trust, "--count", "20000")
    require_exact(summary, consume(f"unix://{server.socket_path}"))
