"""Real servers for the tests: two that the whole session shares, one namespace a test, and servers of a test's own.

Shared servers are found clean by each test and left clean: a key outside the test's namespace is a failure. A test that
needs the plain names (`biglist`), a setting, a restart or a crash takes a server of its own; that costs 50 ms.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.binaries import valkey_binary
from demo.servers import Server, ServerStartError

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
        return valkey_binary() if kind == "valkey9" else _redis_7(shutil.which("redis-server"))
    except ServerStartError as error:
        _missing(str(error))


@cache
def _redis_7(found: str | None) -> Path:
    """Return the redis-server found, once it has shown that it is Redis 7 and built with TLS.

    Raises:
        ServerStartError: It is not, or there is none.
    """
    if found is None:
        raise ServerStartError("no redis-server in PATH")
    version = _said_by(found, "--version")
    if not re.search(r"\bv=7\.", version):
        raise ServerStartError(f"{found} is not Redis 7, it says: {version.strip()}")
    # It reads a configuration up to the first directive that it does not know, and names that one.
    if "nonsense" not in _said_by(found, "-", stdin="tls-port 0\nnonsense 1\n"):
        raise ServerStartError(f"{found} is built without TLS")
    return Path(found)


def _said_by(program: str, argument: str, *, stdin: str = "") -> str:
    ended = subprocess.run(
        [program, argument], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return ended.stdout


def _missing(reason: str) -> NoReturn:
    """Skip, or fail where everything should be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


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
def redis7(shared_servers: SharedServers) -> Server:
    """The shared Redis 7, from PATH."""
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
def new_server(session_directory: Path) -> Iterator[NewServer]:
    """A factory of servers of the test's own."""
    servers: list[Server] = []

    def start(kind: Kind, *arguments: str, tls: bool = False) -> Server:
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
