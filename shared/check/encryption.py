"""TLS as an endpoint offers it: the protocol version and how long the certificate is valid.

This opens a connection of its own, with the settings of all others, because redis-py hides its sockets.
"""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime

from shared.check.findings import TlsFindings
from shared.endpoint.settings import CONNECT_TIMEOUT_S, EndpointSettings
from shared.endpoint.tls import tls_context
from shared.errors import TransientError

SOON_DAYS = 14


def read_tls(settings: EndpointSettings) -> TlsFindings | None:
    """Return what the server of a URL shows, or the first of its Sentinels that answers; None for a URL without TLS."""
    if not settings.url.is_tls:
        return None
    errors = []
    for host, port in settings.url.hosts:
        try:
            return _read_from(host, port, settings)
        except TransientError as error:
            errors.append(error)
    raise errors[0]


def _read_from(host: str, port: int, settings: EndpointSettings) -> TlsFindings:
    address = f"{host}:{port}"
    try:
        with (
            socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S) as plain,
            tls_context(settings).wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert() or {}
            version = secured.version() or "TLS"
    except OSError as error:
        raise TransientError(where=address, expected="a TLS handshake like the first", got=str(error)) from error
    return tls_findings(address, version, str(certificate.get("notAfter", "")), now_s=time.time())


def tls_findings(address: str, version: str, not_after: str, *, now_s: float) -> TlsFindings:
    """Return the findings for a certificate, whose end `ssl` gives as `Jun  1 12:00:00 2027 GMT`; empty if unknown."""
    if not not_after:
        return TlsFindings(address, version, None, None)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC)
    left = ends - datetime.fromtimestamp(now_s, UTC)
    return TlsFindings(address, version, f"{ends:%Y-%m-%dT%H:%M:%SZ}", left.days)


def tls_notes(tls: TlsFindings | None) -> list[str]:
    """Return what is worth knowing about the encryption."""
    if tls is None:
        return []
    if tls.days_left is None:
        return [f"the certificate of {tls.address} is not verified; leave --tls-insecure off"]
    if tls.days_left < SOON_DAYS:
        return [f"the certificate of {tls.address} ends in {tls.days_left} days; renew it"]
    return []
