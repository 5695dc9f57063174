"""The endpoint a program works with: a client for single commands and wires for everything that counts.

What redis-py retries by itself is settled here: nothing. A client that sends a command again after a lost reply can
double it; `Patience` repeats what may be repeated, and only where the code says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.endpoint.settings import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, EndpointSettings
from shared.endpoint.tls import tls_arguments
from shared.endpoint.topology import ServerKind, ask_kind
from shared.endpoint.translation import translated
from shared.endpoint.url import EndpointUrl, parse_url
from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError, InvalidInputError, WrongEndpointError

_SCAN_COUNT = 1_000


class Endpoint:
    """One reachable endpoint.

    Attributes:
        name: Its URL without user and password.
        client: For single commands that may be repeated; sends each once, answers in bytes.
        kind: What the server said it is.
    """

    def __init__(self, url: EndpointUrl, pool: redis.ConnectionPool) -> None:
        """Connect and find out what is there.

        Raises:
            ConnectionLostError: Nobody answers.
            NotAllowedError: Wrong password or certificate.
            WrongEndpointError: A kind of server we can't work with.
        """
        self.name = str(url)
        self.client = redis.Redis(connection_pool=pool)
        self._pool = pool
        with self.any_wire() as wire:
            self.kind: ServerKind = ask_kind(wire)
        if self.kind.is_cluster or self.kind.mode == "sentinel":
            raise WrongEndpointError(where=self.name, expected="a standalone server", got=f"mode {self.kind.mode}")

    def any_wire(self) -> Wire:
        """Open a connection to any server of the endpoint."""
        return Wire(self._pool.make_connection(), self.name)

    def wire(self, key: str) -> Wire:
        """Open a connection to the server that holds a key."""
        del key  # one server holds them all
        return self.any_wire()

    def node_of(self, key: str) -> str:
        """Return a name for the server that holds a key; equal names share a wire."""
        del key
        return self.name

    def translated(self) -> AbstractContextManager[None]:
        """Raise redis-py's exceptions inside the block as ours."""
        return translated(self.name)

    def server_us(self, key: str) -> int:
        """Return the clock of the server that holds a key, in microseconds since 1970.

        Redis:
            TIME; O(1).
        """
        del key
        with self.translated():
            seconds, microseconds = self.client.time()
        return seconds * 1_000_000 + microseconds

    def server_ms(self, key: str) -> int:
        """Return the clock of the server that holds a key, in milliseconds since 1970; see `server_us`."""
        return self.server_us(key) // 1_000

    def scan(self, pattern: str) -> Iterator[bytes]:
        """Yield the keys that match a glob pattern; one may come twice.

        Redis:
            SCAN with COUNT 1000 until the cursor is 0; O(keys in the database).
        """
        with self.translated():
            for key in self.client.scan_iter(match=pattern, count=_SCAN_COUNT):
                yield key if isinstance(key, bytes) else key.encode()

    def close(self) -> None:
        """Close every connection of the client."""
        self.client.close()
        self._pool.disconnect()


def open_endpoint(settings: EndpointSettings) -> Endpoint:
    """Connect to the endpoint that the settings name.

    Raises:
        InvalidInputError: The URL, a password file or a certificate file can't be used.
        EndpointUnreachableError: Nobody answers; there is no patience for a first connection, which shows a wrong URL.
        NotAllowedError: Wrong password or certificate.
        WrongEndpointError: A kind of server we can't work with.
    """
    url = parse_url(settings.url)
    pool = redis.ConnectionPool(**connection_arguments(url, settings))
    try:
        return Endpoint(url, pool)
    except ConnectionLostError as error:
        raise error.lasting() from error


def connection_arguments(url: EndpointUrl, settings: EndpointSettings) -> dict[str, Any]:
    """Return redis-py's arguments for one connection.

    RESP2 is chosen: its shapes are those of the protocol's documentation, and no push message can come between replies.
    """
    arguments: dict[str, Any] = {
        "db": url.database,
        "username": url.username,
        "password": _password(url, settings),
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "health_check_interval": 0,
    }
    if url.scheme == "unix":
        del arguments["socket_connect_timeout"], arguments["socket_keepalive"]
        return arguments | {"connection_class": redis.UnixDomainSocketConnection, "path": url.path}
    host, port = url.hosts[0]
    arguments |= {"connection_class": redis.Connection, "host": host, "port": port}
    if url.is_tls:
        arguments |= {"connection_class": redis.SSLConnection} | tls_arguments(settings)
    return arguments


def _password(url: EndpointUrl, settings: EndpointSettings) -> str | None:
    """Return the password: of the file, else of the variable, else of the URL."""
    if settings.password_file is None:
        return settings.password or url.password
    try:
        lines = Path(settings.password_file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            where="--password-file", expected="a text file that can be read", got=settings.password_file
        ) from error
    if not lines or not lines[0]:
        raise InvalidInputError(where="--password-file", expected="the password in its first line", got="an empty line")
    return lines[0]
