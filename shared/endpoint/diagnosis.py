"""Why a first connection failed, found out by one more of another kind.

A server that speaks TLS resets plain connections, one that does not leaves a handshake waiting, and one that wants our
certificate may close before its alert is read: redis-py reports all three as a lost connection. Telling them apart by
those texts was rejected: a server that has just died gives the same ones.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import EndpointUrl
from shared.errors import HandoverError, NotAllowedError, TransientError, WrongEndpointError

_PROBE_TIMEOUT_S = 1.0
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")


def diagnosed(error: TransientError, url: EndpointUrl, settings: EndpointSettings) -> HandoverError:
    """Return the error to end with when the first connection fails: the cause if it can be found, else this one.

    Redis:
        PING, without TLS, when TLS got no answer; no password is ever sent.
    """
    if error.answered or not url.hosts or _is_nobody_there(error):
        return error.lasting()
    host = url.hosts[0]
    if not url.is_tls and _speaks_tls(host):
        return WrongEndpointError(
            where=error.where,
            expected="a server without TLS",
            got="one that speaks TLS",
            advice="write rediss:// in the URL",
        )
    if url.is_tls and _speaks_plainly(host):
        return WrongEndpointError(
            where=error.where,
            expected="a server that speaks TLS",
            got="one that does not",
            advice="write redis:// in the URL, or give the server's TLS port",
        )
    if url.is_tls and _refuses_our_certificate(host, settings):
        return NotAllowedError(
            where=error.where,
            expected="a client certificate that the server accepts",
            got="one that it refuses" if settings.tls_cert else "none",
            advice="name it with --tls-cert and its key with --tls-key",
        )
    return error.lasting()


def _is_nobody_there(error: BaseException | None) -> bool:
    """Return whether not even TCP got an answer, so that asking once more would only take more time."""
    while error is not None:
        if isinstance(error, TimeoutError):
            return "handshake" not in str(error)
        if isinstance(error, (ConnectionRefusedError, socket.gaierror)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _speaks_plainly(host: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(host, _PROBE_TIMEOUT_S) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith((b"+PONG", b"-"))
    return False


def _speaks_tls(host: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(host, _PROBE_TIMEOUT_S) as connection:
        try:
            _unverified().wrap_socket(connection, server_hostname=host[0]).close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")
        return True
    return False


def _refuses_our_certificate(host: tuple[str, int], settings: EndpointSettings) -> bool:
    """Shake hands and wait for what the server says before we say anything; an alert comes at once."""
    context = _unverified()
    if settings.tls_cert:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    with suppress(OSError), socket.create_connection(host, _PROBE_TIMEOUT_S) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host[0]) as encrypted:
                encrypted.recv(1)
        except ssl.SSLError as error:
            reason = error.reason or ""
            return "ALERT" in reason and any(alert in reason for alert in _CERTIFICATE_ALERTS)
    return False


def _unverified() -> ssl.SSLContext:
    """Return a context that trusts anybody; nothing of worth goes over its connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
