"""Real servers for the tests: two that the whole session shares, one namespace a test, and servers of a test's own.

Shared servers are found clean by each test and left clean: a key outside the test's namespace is a failure. A test that
needs the plain names (`biglist`), a setting, a restart or a crash takes a server of its own; that costs 50 ms.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.binaries import valkey_binary
from demo.servers import Server, ServerStartError
from tests.stage.needs import missing, redis_7

Kind = Literal["valkey9", "redis7"]
_KINDS: tuple[Kind, ...] = ("valkey9", "redis7")


class NewServer(Protocol):
    """Start a server of the test's own; it is stopped after the test, whatever became of it."""

    def __call__(self, kind: Kind, *arguments: str, tls: bool = False) -> Server:
        """Start it; the arguments are those of `demo.servers.Server`."""


class SharedServers:
    """The session's servers, each started when first asked for."""

    def __init__(self) -> None:
        """Start none."""
        self.started: dict[Kind, Server] = {}

    def get(self, kind: Kind) -> Server:
        """Return a running server of this kind."""
        if kind not in self.started:
            server = Server(binary(kind))
            self.started[kind] = server
            server.start()
        return self.started[kind]

    def stop(self) -> None:
        """Stop them all."""
        for server in self.started.values():
            server.stop()


def binary(kind: Kind) -> Path:
    """Return the server program of a kind; without one that will do skip the test on a laptop, fail it on CI."""
    try:
        return valkey_binary() if kind == "valkey9" else redis_7(shutil.which("redis-server"))
    except ServerStartError as error:
        missing(str(error))


def connect(server: Server, *, database: int = 0) -> redis.Redis:
    """Return a client of a server, through its unix socket, that never repeats a command and answers in bytes."""
    return redis.Redis(unix_socket_path=str(server.socket_path), db=database, retry=Retry(NoBackoff(), 0))


def connect_url(url: str) -> redis.Redis:
    """Return a client as `connect` does, through the URL that users get."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


@pytest.fixture(scope="session")
def shared_servers(session_directory: Path) -> Iterator[SharedServers]:
    """The session's servers; ask for `server`, `valkey9` or `redis7` instead."""
    servers = SharedServers()
    yield servers
    servers.stop()


@pytest.fixture
def valkey9(shared_servers: SharedServers) -> Server:
    """The shared Valkey 9."""
    return shared_servers.get("valkey9")


@pytest.fixture
def redis7(request: pytest.FixtureRequest, shared_servers: SharedServers) -> Server:
    """The shared Redis 7, from PATH."""
    _require_marker(request)
    return shared_servers.get("redis7")


@pytest.fixture(params=_KINDS)
def server_kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server in turn, for `new_server`."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def server(server_kind: Kind, shared_servers: SharedServers) -> Server:
    """Each shared server in turn."""
    return shared_servers.get(server_kind)


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A client of `server`, outside the product: it never repeats a command and answers in bytes."""
    with connect(server) as connected:
        yield connected


@pytest.fixture
def namespace() -> str:
    """A namespace of the test's own on the shared servers."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture
def new_server(request: pytest.FixtureRequest, session_directory: Path) -> Iterator[NewServer]:
    """A factory of servers of the test's own."""
    servers: list[Server] = []

    def start(kind: Kind, *arguments: str, tls: bool = False) -> Server:
        if kind == "redis7":
            _require_marker(request)
        server = Server(binary(kind), arguments, tls=tls)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def own_server(new_server: NewServer, server_kind: Kind) -> Server:
    """A fresh server of each kind in turn, for this test alone."""
    return new_server(server_kind)


@pytest.fixture(autouse=True)
def _no_leaked_keys(shared_servers: SharedServers, namespace: str) -> Iterator[None]:
    """Fail a test that left keys outside its namespace on a shared server; remove all keys it made."""
    yield
    for kind, server in list(shared_servers.started.items()):
        if not server.is_running:
            shared_servers.started.pop(kind).stop()
            pytest.fail(f"the test ended the shared {kind}; use new_server or own_server")
        leaked = [key for key in _take_keys(server) if not _is_in(namespace, key)]
        assert not leaked, f"keys left on the shared {kind} outside the namespace {namespace}: {leaked}"


def _require_marker(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("redis_server"), "this test needs the marker redis_server"


def _is_in(namespace: str, key: bytes) -> bool:
    """Return whether a key is `<namespace>:...` or `{<namespace>:...}...`."""
    return key.removeprefix(b"{").startswith(f"{namespace}:".encode())


def _take_keys(server: Server) -> list[bytes]:
    """Return every key of every database of a server, and remove them."""
    taken: list[bytes] = []
    with connect(server) as first:
        databases = [int(name.removeprefix("db")) for name in first.info("keyspace")]
    for database in databases:
        with connect(server, database=database) as connected:
            keys: list[bytes] = list(connected.scan_iter(count=1000))
            if keys:
                connected.unlink(*keys)
            taken += keys
    return taken
