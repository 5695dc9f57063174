"""TLS as an endpoint offers it: the version agreed on and how long its certificate is valid.

A connection of our own is opened for that, with the settings of all others: redis-py hides the socket of its own.
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
_DAY_S = 24 * 60 * 60


def read_tls(settings: EndpointSettings) -> TlsFindings | None:
    """Return what the server of a URL shows, or the first of its Sentinels that answers; None for a URL without TLS.

    Raises:
        TransientError: None can be reached, or no certificate verifies, though one did a moment ago.
    """
    if not settings.url.is_tls:
        return None
    failure: TransientError | None = None
    for host, port in settings.url.hosts:
        try:
            return _read_of(host, port, settings)
        except TransientError as error:
            failure = failure or error
    assert failure is not None, "a URL with TLS has a host"
    raise failure


def _read_of(host: str, port: int, settings: EndpointSettings) -> TlsFindings:
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
    """Return the findings of a certificate.

    Args:
        address: Whose it is.
        version: Of the protocol.
        not_after: Its end as `ssl` gives it, `Jun  1 12:00:00 2027 GMT`; empty when it is not known.
        now_s: Now, seconds since 1970.
    """
    if not not_after:
        return TlsFindings(address, version, None, None)
    ends_s = ssl.cert_time_to_seconds(not_after)
    ends = datetime.fromtimestamp(ends_s, UTC)
    return TlsFindings(address, version, f"{ends:%Y-%m-%dT%H:%M:%SZ}", int((ends_s - now_s) // _DAY_S))


def tls_notes(tls: TlsFindings | None) -> list[str]:
    """Return what is worth knowing of the encryption."""
    if tls is None:
        return []
    if tls.days_left is None:
        return [f"the certificate of {tls.address} is not verified; leave --tls-insecure off"]
    if tls.days_left < SOON_DAYS:
        return [f"the certificate of {tls.address} ends in {tls.days_left} days; renew it"]
    return []
