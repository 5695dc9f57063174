"""Servers that announce no host, or one that can't be: the host we came by is used, or one sentence says it."""

from __future__ import annotations

import pytest
import redis

from demo.servers import Server
from tests.stage.answers_alike import AnswersAlike
from tests.stage.programs import Name, run_program
from tests.stage.raw import call
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

# What Python's IDNA refuses: empty labels, labels of more than 63 characters, and what is no UTF-8 as it comes.
HOSTS = [
    "a..b",
    "..",
    ".a",
    "a.\u3002b",
    "x" * 64,
    f"{'x' * 64}.example",
    f"a.{'é' * 63}",
]


@pytest.fixture(params=["valkey9", "redis7"])
def alone(request: pytest.FixtureRequest, new_server: NewServer) -> Server:
    """A cluster of one node that tells nobody where it is."""
    options = ("--cluster-enabled", "yes", "--cluster-preferred-endpoint-type", "unknown-endpoint")
    server = new_server(request.param, *options)
    call(server, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    with redis.Redis(unix_socket_path=str(server.socket_path)) as client:
        wait_until(
            lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), description="the cluster is up"
        )
    return server


@pytest.mark.redis_server
def test_a_cluster_of_one_node_that_announces_no_endpoint(alone: Server) -> None:
    commands: list[tuple[Name, tuple[str, ...]]] = [
        ("server-a", ("run", "--count", "100")),
        ("server-b", ("run", "--once", "--wait-s", "20")),
        ("server-a", ("check",)),
        ("server-a", ("status",)),
    ]
    for name, arguments in commands:
        ended = run_program(name, *arguments, server=alone.url)
        assert ended.exit_code == 0, ended


@pytest.mark.parametrize("host", HOSTS, ids=ascii)
def test_a_primary_whose_name_can_not_be_one(host: str) -> None:
    name = host.encode()
    fields = [b"name", b"shop", b"ip", name, b"port", b"6379", b"flags", b"master", b"runid", b"x"]
    bulks = b"".join(b"$%d\r\n%s\r\n" % (len(field), field) for field in fields)
    with AnswersAlike(b"*1\r\n*%d\r\n%s" % (len(fields), bulks)) as sentinel:
        ended = run_program("server-b", "status", server=f"redis+sentinel://127.0.0.1:{sentinel.port}/shop")
    assert ended.exit_code == 78, ended
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert "a fault of server-b" not in ended.stderr
