"""redis-py's arguments for one connection, the same for every kind of endpoint.

What redis-py retries by itself is settled here: nothing. A client that sends a command again after a lost reply can
double it (redis-py #261, #977, #2851, #3554).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.retry import Retry

from shared.endpoint.settings import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, EndpointSettings
from shared.endpoint.tls import tls_arguments
from shared.endpoint.url import EndpointUrl, is_utf8
from shared.errors import InvalidInputError

if TYPE_CHECKING:
    import redis
    from redis.connection import ConnectionInterface
    from redis.credentials import CredentialProvider


_MOST_PASSWORD_BYTES = 64 * 1024


def connection_arguments(
    url: EndpointUrl, settings: EndpointSettings, provider: CredentialProvider | None
) -> dict[str, Any]:
    """Return the arguments that do not depend on the host.

    RESP2 is chosen: its shapes are those of the protocol's documentation, and no push message can come between replies.

    Args:
        url: Where to connect.
        settings: How.
        provider: Where user and password come from, instead of URL and settings.

    Raises:
        InvalidInputError: A password or certificate file can't be used.
    """
    arguments: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        # Else each connection looks redis-py's version up in the files of its distribution, and waits for two replies.
        # Over TLS one reply is wanted: session tickets come before it, and a pool takes unread ones for a stale reply.
        "driver_info": DriverInfo(name="handover", lib_version=None) if url.is_tls else None,
    }
    if provider is not None:
        arguments["credential_provider"] = provider
    else:
        arguments |= {"username": url.username, "password": password_of(url, settings)}
    if url.scheme == "unix":
        return arguments
    arguments |= {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_keepalive": True}
    return arguments | (tls_arguments(settings) if url.is_tls else {})


def password_of(url: EndpointUrl, settings: EndpointSettings) -> str | None:
    """Return the password: of the file, else of the variable, else of the URL.

    Raises:
        InvalidInputError: The password file can't be read or is empty, or the variable holds no text.
    """
    if settings.password_file is None:
        if not is_utf8(settings.password or ""):
            raise InvalidInputError(where="the password variable", expected="text of UTF-8", got="bytes that are none")
        return settings.password or url.password
    where = "--password-file"
    try:
        with Path(settings.password_file).open("rb") as file:
            lines = file.readline(_MOST_PASSWORD_BYTES).decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        expected = "a text file that can be read"
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidInputError(where=where, expected=expected, got=f"{settings.password_file}: {why}") from error
    if not lines or not lines[0]:
        raise InvalidInputError(where=where, expected="the password in its first line", got="an empty line")
    return lines[0]


def new_connection(pool: redis.ConnectionPool) -> ConnectionInterface:
    """Return a connection of a pool's kind that the pool knows nothing of.

    A pool's own `make_connection` counts what it has made against a limit of 100 and never hears of it again.
    """
    connection: ConnectionInterface = pool.connection_class(**pool.connection_kwargs)
    return connection
