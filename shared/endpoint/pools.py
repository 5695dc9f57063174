"""redis-py's connection pools, made alike for every kind of endpoint.

redis-py itself retries nothing: a client that sends a command again after a lost reply can double it (redis-py #261,
#977, #2851, #3554).
"""

from __future__ import annotations

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from redis.sentinel import SentinelConnectionPool, SentinelManagedConnection

from shared.endpoint.addresses import AddressConnection
from shared.endpoint.bounded_parser import BoundedParser, Reply
from shared.endpoint.passwords import password_from
from shared.endpoint.settings import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, EndpointSettings
from shared.endpoint.tls import tls_context

if TYPE_CHECKING:
    from redis.auth.token import TokenInterface
    from redis.credentials import CredentialProvider
    from redis.sentinel import Sentinel


class TlsConnection(redis.SSLConnection, AddressConnection):
    """A TLS connection with a context that all share: redis-py loads the certificates for each anew (60 ms)."""

    def __init__(self, *, tls_context: ssl.SSLContext, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._tls_context = tls_context

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._tls_context.wrap_socket(sock, server_hostname=self.host)


class SentinelConnection(SentinelManagedConnection, AddressConnection):
    """A connection to the primary that Sentinels name."""

    def read_response(self, **options: Any) -> Reply:  # type: ignore[override]
        """Return the next reply; close the connection after a fault, where redis-py's would go on in its midst."""
        return super().read_response(**{"disconnect_on_error": True} | options)


class TlsSentinelConnection(SentinelConnection, TlsConnection):
    """A TLS connection to the primary that Sentinels name."""


class Pool(redis.ConnectionPool):
    """A pool of connections to one server."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._opening = threading.local()  # `given_back`: what redis-py gives back in this thread's `get_connection`
        super().__init__(*arguments, **options)

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> redis.Connection:  # noqa: ANN401
        """Take a connection; a new one that the server refuses, as beyond maxclients, raises what the server says."""
        del command_name, keys, options  # redis-py has no use for them any more
        given_back: list[redis.Connection] = []
        self._opening.given_back = given_back
        try:
            return super().get_connection()
        except RedisError:
            # redis-py finds an unasked reply, raises "Connection not ready", and gives the connection back unread
            for connection in given_back:
                if connection.is_connected:
                    connection.read_response()
            raise
        finally:
            self._opening.given_back = None
            for connection in given_back:
                connection.disconnect()
                self.release(connection)

    def release(self, connection: redis.Connection) -> None:  # type: ignore[override]
        """Give a connection back; one that can't be opened only once its reply is read, since others would take it."""
        given_back = getattr(self._opening, "given_back", None)
        if given_back is None:
            super().release(connection)
        else:
            given_back.append(connection)

    def re_auth_callback(self, token: TokenInterface) -> None:
        """Log idle connections in with a renewed token; one where that fails is closed, and connects with it later.

        redis-py's own method is not used: it stops at the first connection that can't take the token, and logs one in
        use in when it is given back, even a lost one, raising where nobody expects a fault. Here that one is closed.
        """
        with self._lock:
            for connection in self._available_connections:
                if not connection.is_connected:
                    continue
                try:
                    connection.send_command("AUTH", token.try_get("oid"), token.get_value())
                    connection.read_response()
                except RedisError:
                    connection.disconnect()
            for connection in self._in_use_connections:
                connection.mark_for_reconnect()


class SentinelPool(Pool, SentinelConnectionPool):
    """A pool of connections to whatever server Sentinels name as the primary."""


class PoolMaker:
    """Makes the pools of one endpoint."""

    def __init__(self, settings: EndpointSettings, provider: CredentialProvider | None) -> None:
        """Read passwords and certificates; raise InvalidInputError if one of their files can't be used."""
        self.url = url = settings.url
        self.provider = provider  # gives user and password instead of URL and settings; None without Entra ID
        self._common: dict[str, Any] = {
            "socket_timeout": SOCKET_TIMEOUT_S,
            "protocol": 2,  # the shapes of the documentation, and no push message between replies
            "retry": RedisRetry(NoBackoff(), 0),
            "parser_class": BoundedParser,
            # `None` skips CLIENT SETINFO: two round trips for each connection. Over TLS one reply is wanted: session
            # tickets come before it, and a pool takes unread ones for a stale reply.
            "driver_info": DriverInfo(name="handover", lib_version=None) if url.is_tls else None,
        }
        if url.scheme != "unix":
            self._common |= {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_keepalive": True}
        if url.is_tls:
            self._common["tls_context"] = tls_context(settings)
        self._login: dict[str, Any] = {"db": url.database}
        if provider is not None:
            self._login["credential_provider"] = provider
        else:
            given = password_from(
                settings.password_file, settings.password, url.password,
                option=settings.password_option, variable="the password variable",
            )  # fmt: skip
            self._login |= {"username": url.username, "password": given}
        if url.is_sentinel:
            given = password_from(
                settings.sentinel_password_file, settings.sentinel_password, url.sentinel_password,
                option="--sentinel-password-file", variable="the Sentinels' password variable",
            )  # fmt: skip
            self._sentinel_login = {"username": url.sentinel_username, "password": given}

    def of_url(self, sentinels: Sentinel | None) -> redis.ConnectionPool:
        """Return the pool for what the URL names: a socket, a host, or the primary that Sentinels name."""
        arguments = self._common | self._login
        if self.url.scheme == "unix":
            return Pool(connection_class=redis.UnixDomainSocketConnection, path=self.url.path, **arguments)
        if sentinels is not None:
            arguments["connection_class"] = TlsSentinelConnection if self.url.is_tls else SentinelConnection
            return SentinelPool(self.url.service, sentinels, **arguments)
        return self.of_host(*self.url.hosts[0])

    def of_host(self, host: str, port: int) -> redis.ConnectionPool:
        """Return the pool for a server that holds data."""
        return self._of(host, port, self._login)

    def of_sentinel(self, host: str, port: int) -> redis.ConnectionPool:
        """Return the pool for a Sentinel, which never gets the login of the data."""
        return self._of(host, port, self._sentinel_login)

    def _of(self, host: str, port: int, login: dict[str, Any]) -> redis.ConnectionPool:
        kind = TlsConnection if self.url.is_tls else AddressConnection
        return Pool(connection_class=kind, host=host, port=port, **self._common, **login)
