"""redis-py's connection pools, made alike for every kind of endpoint, and what their connections have in common.

What redis-py retries by itself is settled here: nothing. A client that sends a command again after a lost reply can
double it (redis-py #261, #977, #2851, #3554).
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from redis.sentinel import SentinelConnectionPool, SentinelManagedConnection

from shared.endpoint.passwords import password_of
from shared.endpoint.settings import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, EndpointSettings
from shared.endpoint.tls import tls_context
from shared.endpoint.url import EndpointUrl

if TYPE_CHECKING:
    from redis.auth.token import TokenInterface
    from redis.credentials import CredentialProvider
    from redis.sentinel import Sentinel


class TlsConnection(redis.SSLConnection):
    """A TLS connection with a context that all share: redis-py loads the certificates anew for each (60 ms)."""

    def __init__(self, *, tls_context: ssl.SSLContext, **arguments: Any) -> None:
        """Prepare to connect with a context; see redis-py for the other arguments."""
        super().__init__(**arguments)
        self._tls_context = tls_context

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._tls_context.wrap_socket(sock, server_hostname=self.host)


class TlsSentinelConnection(SentinelManagedConnection, TlsConnection):
    """The same, to the primary that Sentinels name."""


class _RenewedLogin:
    """What a pool does with a renewed token: redis-py stops at the first connection that can't take it."""

    def re_auth_callback(self, token: TokenInterface) -> None:
        """Log idle connections in with a renewed token; one where that fails is closed, and connects with it later.

        One in use is closed when it is given back. redis-py would log it in then, also one that is lost, and raise
        where nobody expects a fault.
        """
        with self._lock:  # type: ignore[attr-defined]
            for connection in self._available_connections:  # type: ignore[attr-defined]
                if not connection.is_connected:
                    continue
                try:
                    connection.send_command("AUTH", token.try_get("oid"), token.get_value())
                    connection.read_response()
                except RedisError:
                    connection.disconnect()
            for connection in self._in_use_connections:  # type: ignore[attr-defined]
                connection.mark_for_reconnect()


class Pool(_RenewedLogin, redis.ConnectionPool):
    """A pool of connections to one server."""

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> redis.Connection:  # noqa: ANN401
        """Take a connection; one that the server refuses unasked, as beyond maxclients, raises what the server says."""
        del command_name, keys, options  # redis-py has no use for them any more
        try:
            return super().get_connection()
        except RedisError:
            # of what nobody asked for redis-py says "Connection not ready", and gives the connection back unread
            for connection in self._available_connections[-1:]:
                if connection.is_connected:
                    try:
                        connection.read_response()
                    finally:
                        connection.disconnect()
            raise


class SentinelPool(Pool, SentinelConnectionPool):
    """A pool of connections to whatever server Sentinels name as the primary."""


class PoolMaker:
    """Makes the pools of one endpoint."""

    def __init__(self, url: EndpointUrl, settings: EndpointSettings, provider: CredentialProvider | None) -> None:
        """Read passwords and certificates.

        RESP2 is chosen: its shapes are those of the protocol's documentation, and no push message can come between
        replies.

        Args:
            url: Where to connect.
            settings: How.
            provider: Where user and password come from, instead of URL and settings.

        Raises:
            InvalidInputError: A password or certificate file can't be used.
        """
        self._url = url
        self.provider = provider
        self._common: dict[str, Any] = {
            "socket_timeout": SOCKET_TIMEOUT_S,
            "protocol": 2,
            "retry": RedisRetry(NoBackoff(), 0),
            # `None` skips CLIENT SETINFO: two round trips for each connection. Over TLS one reply is wanted: session
            # tickets come before it, and a pool takes unread ones for a stale reply.
            "driver_info": DriverInfo(name="handover", lib_version=None) if url.is_tls else None,
        }
        if provider is not None:
            self._login: dict[str, Any] = {"credential_provider": provider}
        else:
            self._login = {"username": url.username, "password": password_of(url, settings)}
        if url.scheme != "unix":
            self._common |= {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_keepalive": True}
        if url.is_tls:
            self._common["tls_context"] = tls_context(settings)

    def of_url(self, sentinels: Sentinel | None) -> redis.ConnectionPool:
        """Return the pool for what the URL names: a socket, a host, or the primary that Sentinels name."""
        arguments = self._common | self._login | {"db": self._url.database}
        if self._url.scheme == "unix":
            return Pool(connection_class=redis.UnixDomainSocketConnection, path=self._url.path, **arguments)
        if sentinels is not None:
            kind = TlsSentinelConnection if self._url.is_tls else SentinelManagedConnection
            arguments["connection_class"] = kind
            return SentinelPool(self._url.service, sentinels, **arguments)  # type: ignore[no-untyped-call]
        return self.of_host(*self._url.hosts[0])

    def of_host(self, host: str, port: int, *, with_login: bool = True) -> redis.ConnectionPool:
        """Return the pool for a server.

        Args:
            host: As its certificate names it.
            port: Its port.
            with_login: False for a Sentinel: the URL's login is the primary's, and its database too.
        """
        arguments = self._common | (self._login | {"db": self._url.database} if with_login else {})
        kind = TlsConnection if self._url.is_tls else redis.Connection
        return Pool(connection_class=kind, host=host, port=port, **arguments)
