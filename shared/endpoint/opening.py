"""Open an endpoint from its URL alone: server, replica, Sentinel or cluster is detected.

When the first connection fails, a second one of another kind finds out why. A server that speaks TLS resets plain
connections, one that does not leaves a handshake waiting, and one that wants our certificate may close before its alert
is read: redis-py reports all three as a lost connection, with the same texts as for a server that has just died.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from redis.exceptions import AuthenticationError, InvalidResponse

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.other_servers import kind_of_other
from shared.endpoint.plain_login import plain_login
from shared.endpoint.pools import PoolMaker
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.standalone import StandaloneEndpoint
from shared.endpoint.tls import tls_context
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

__all__ = ["Endpoint", "open_endpoint", "open_when_ready"]

_PROBE_TIMEOUT_S = 1.0
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")


def open_endpoint(settings: EndpointSettings, *, provider: CredentialProvider | None = None) -> Endpoint:
    """Connect to the endpoint that the settings name; a first connection is not retried, since the URL may be wrong.

    `provider` gives user and password; None to use the settings. What is raised is never a TransientError: what the
    first connection meets is final.

    Raises:
        EndpointUnreachableError: Nobody answers.
        NotFinishedError: The server answers and is not ready.
        NotAllowedError: A login, a certificate, a token or a permission is refused.
        WrongEndpointError: What answers is not what the URL says, or no Redis server.
        InvalidInputError: A file or an extra that the settings call for can't be used.
    """
    pools = _pools(settings, provider)
    try:
        with _warning_of_plain_login(settings):
            return _connect(pools)
    except TransientError as error:
        raise _diagnosed(error, settings) from error
    except WrongEndpointError as error:
        _name_other_server(error, settings)
        raise


def open_when_ready(settings: EndpointSettings, retry: Retry) -> Endpoint:
    """Connect as `open_endpoint` does, but wait for what has answered and is not ready, as long as `retry` does.

    That is a server that loads or is full of clients, Sentinels whose primary is down, a cluster in a failover: the URL
    is right then. Only when nobody has answered it may be wrong, and waiting would hide that.

    Raises:
        EndpointUnreachableError: Nobody answers, or nobody does any more for as long as is retried.
        NotFinishedError: A stop was requested meanwhile, or the server is not ready for as long as is retried.
        NotAllowedError: As `open_endpoint`; so the next two.
        WrongEndpointError: The same.
        InvalidInputError: The same.
    """
    pools, has_answered = _pools(settings, None), False
    while True:
        try:
            with _warning_of_plain_login(settings):
                return _connect(pools)
        except TransientError as error:
            has_answered = has_answered or error.answered
            if not has_answered:
                raise _diagnosed(error, settings) from error
            retry.wait_out(error)
        except WrongEndpointError as error:
            _name_other_server(error, settings)
            raise


def _name_other_server(error: WrongEndpointError, settings: EndpointSettings) -> None:
    """Say what answers there if it speaks another protocol and names itself."""
    url = settings.url
    if isinstance(error.__cause__, (InvalidResponse, AuthenticationError)) and url.hosts:
        error.got = kind_of_other(url.hosts[0]) or error.got


@contextmanager
def _warning_of_plain_login(settings: EndpointSettings) -> Iterator[None]:
    """Warn of a login that was sent in the clear; not where nobody has answered, for then none was sent."""
    try:
        yield
    except TransientError:
        raise
    except HandoverError:
        _warn_of_plain_login(settings)
        raise
    _warn_of_plain_login(settings)


def _warn_of_plain_login(settings: EndpointSettings) -> None:
    if sentence := plain_login(settings):
        settings.warn(settings.program, sentence)


def _pools(settings: EndpointSettings, provider: CredentialProvider | None) -> PoolMaker:
    if provider is None and settings.auth == "entra":
        from shared.endpoint.entra import entra_provider

        provider = entra_provider()
    return PoolMaker(settings, provider)


def _connect(pools: PoolMaker) -> Endpoint:
    endpoint = StandaloneEndpoint(pools)
    if not endpoint.kind.is_cluster:
        return endpoint
    endpoint.close()
    from shared.endpoint.cluster import ClusterEndpoint

    return ClusterEndpoint(pools, endpoint.kind, endpoint.slots)


def _diagnosed(error: TransientError, settings: EndpointSettings) -> HandoverError:
    """Return the error to end with when the first connection fails: the cause if it can be found, else this one.

    Redis: PING, without TLS, when TLS got no answer, and a browser's question; no password is ever sent.
    """
    url = settings.url
    if error.answered or not url.hosts or _is_nobody_there(error):
        return error.lasting()
    kind: type[HandoverError] = WrongEndpointError
    if not url.is_tls and _speaks_tls(url.hosts[0], settings):
        expected, got, advice = "a server without TLS", "one that speaks TLS", "write rediss:// in the URL"
    elif url.is_tls and _answers_without_tls(url.hosts[0]):
        expected, got = "a server that speaks TLS", "one that does not"
        advice = "write redis:// in the URL, or give the server's TLS port"
    elif url.is_tls and _refuses_our_certificate(url.hosts[0], settings):
        kind, expected = NotAllowedError, "a client certificate that the server accepts"
        got = "one that it refuses" if settings.tls_cert else "none"
        advice = "name it with --tls-cert and its key with --tls-key"
    elif url.is_tls and (other := kind_of_other(url.hosts[0])):
        expected, got, advice = "a Redis server", other, "check host and port"
    else:
        return error.lasting()
    return kind(where=error.where, expected=expected, got=got, advice=advice)


def _is_nobody_there(error: BaseException | None) -> bool:
    """Return whether not even TCP got an answer, so that asking once more would only take more time."""
    while error is not None:
        if isinstance(error, TimeoutError):
            return "handshake" not in str(error)
        if isinstance(error, (ConnectionRefusedError, socket.gaierror)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _answers_without_tls(host: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(host, _PROBE_TIMEOUT_S) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith((b"+PONG", b"-"))
    return False


def _speaks_tls(host: tuple[str, int], settings: EndpointSettings) -> bool:
    failure = _handshake_failure(host, replace(settings, tls_cert=None, tls_key=None))
    return failure is not None and (not failure or "ALERT" in failure)


def _refuses_our_certificate(host: tuple[str, int], settings: EndpointSettings) -> bool:
    failure = _handshake_failure(host, settings, awaits_alert=True) or ""
    return "ALERT" in failure and any(alert in failure for alert in _CERTIFICATE_ALERTS)


def _handshake_failure(host: tuple[str, int], settings: EndpointSettings, *, awaits_alert: bool = False) -> str | None:
    """Return OpenSSL's reason for a failed handshake; empty when it succeeds, None without any answer.

    With `awaits_alert` the server's alert about our certificate, which comes at once, is waited for.
    """
    context = tls_context(replace(settings, tls_ca=None, tls_insecure=True))  # nothing secret is sent
    with suppress(OSError), socket.create_connection(host, _PROBE_TIMEOUT_S) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host[0]) as encrypted:
                if awaits_alert:
                    encrypted.recv(1)
        except ssl.SSLError as error:
            return str(error.reason)
        return ""
    return None
