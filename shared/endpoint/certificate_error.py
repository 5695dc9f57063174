"""What a certificate that does not verify means, and what to do about it."""

from __future__ import annotations

from shared.errors import CertificateError


def certificate_error(reason: str, where: str) -> CertificateError:
    """Return the error for OpenSSL's reason."""
    if "mismatch" in reason:
        advice = "write a host name or address that the certificate names"
    elif "expired" in reason or "not yet valid" in reason:
        advice = "have the server's certificate renewed, and check this host's clock"
    else:
        advice = "name its authority with --tls-ca"
    got = reason.rstrip(".")
    return CertificateError(where=where, expected="a certificate that verifies", got=got, advice=advice)
