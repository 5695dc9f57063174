"""An endpoint where one server holds all keys: a plain one, a unix socket, a proxy, a Sentinel group's primary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis
from redis.sentinel import SentinelConnectionPool

from shared.endpoint.arguments import new_connection
from shared.endpoint.endpoint import Endpoint, scan_server
from shared.endpoint.sentinels import sentinel_pool
from shared.endpoint.topology import ask_kind
from shared.endpoint.url import EndpointUrl
from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError, WrongEndpointError


class SingleEndpoint(Endpoint):
    """One server at a time; behind Sentinels it is looked up anew at each connection."""

    def __init__(self, url: EndpointUrl, arguments: dict[str, Any]) -> None:
        """Connect and find out what is there.

        Raises:
            ConnectionLostError: Nobody answers, or a Sentinel group is in a failover.
            NotAllowedError: Wrong password or certificate.
            WrongEndpointError: A Sentinel, where a server that holds data should be, or a group none knows.
        """
        self.name = str(url)
        self._pool = _pool(url, arguments)
        provider = arguments.get("credential_provider")  # given again, so that its renewed tokens reach the pool
        self.client = redis.Redis(connection_pool=self._pool, credential_provider=provider)
        with self.wire("") as wire:
            self.kind = ask_kind(wire)
        if self.kind.mode == "sentinel":
            advice = "write redis+sentinel://host1,host2/NAME for the group it watches"
            raise WrongEndpointError(
                where=self.name, expected="a server that holds data", got="a Sentinel", advice=advice
            )

        if url.is_sentinel and self.kind.is_replica:
            raise ConnectionLostError(
                where=self.name, expected="the group's primary", got="a replica, as in a failover", answered=True
            )

    def wire(self, key: str) -> Wire:
        """Open a connection; every key is on the same server."""
        del key
        return Wire(new_connection(self._pool), self.name)

    def node_of(self, key: str) -> str:
        """Return the endpoint's name; every key is on the same server."""
        del key
        return self.name

    def server_us(self, key: str) -> int:
        """Return the server's clock."""
        del key
        with self.translated():
            seconds, microseconds = self.client.time()
        return seconds * 1_000_000 + microseconds

    def scan(self, pattern: str, *, limit_s: float | None = None) -> Iterator[bytes]:
        """Yield the keys that match a glob pattern."""
        with self.translated():
            yield from scan_server(self.client, pattern, limit_s=limit_s)

    def refresh(self) -> None:
        """Forget idle connections, which may lead to a server that is no longer the primary."""
        self._pool.disconnect()

    def close(self) -> None:
        """Close every connection of the client."""
        self.client.close()
        self._pool.disconnect()
        if isinstance(self._pool, SentinelConnectionPool):
            self._pool.sentinel_manager.close()


def _pool(url: EndpointUrl, arguments: dict[str, Any]) -> redis.ConnectionPool:
    arguments = arguments | {"db": url.database}
    if url.scheme == "unix":
        return redis.ConnectionPool(connection_class=redis.UnixDomainSocketConnection, path=url.path, **arguments)
    if url.is_sentinel:
        return sentinel_pool(url, arguments)
    host, port = url.hosts[0]
    kind = redis.SSLConnection if url.is_tls else redis.Connection
    return redis.ConnectionPool(connection_class=kind, host=host, port=port, **arguments)
