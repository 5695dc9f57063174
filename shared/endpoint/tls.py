"""TLS: certificates and host names are verified unless an option, never the URL, says otherwise."""

from __future__ import annotations

import os
import ssl
from typing import Any

from shared.endpoint.settings import EndpointSettings
from shared.errors import InvalidInputError


def tls_arguments(settings: EndpointSettings) -> dict[str, Any]:
    """Return redis-py's connection arguments for an encrypted connection.

    Raises:
        InvalidInputError: A file that was named can't be read or does not hold what it should, or a key came without
            its certificate.
    """
    if settings.tls_key and not settings.tls_cert:
        raise InvalidInputError(where="--tls-key", expected="--tls-cert beside it", got="none")
    _check_files(settings)
    return {
        "ssl_ca_certs": settings.tls_ca,
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
        "ssl_cert_reqs": ssl.CERT_NONE if settings.tls_insecure else ssl.CERT_REQUIRED,
        "ssl_check_hostname": not settings.tls_insecure,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
    }


def _check_files(settings: EndpointSettings) -> None:
    """Load the files once, so that a bad one is named by its option and not by a failed handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for option, path in (
        ("--tls-ca", settings.tls_ca),
        ("--tls-cert", settings.tls_cert),
        ("--tls-key", settings.tls_key),
    ):
        if path and not os.access(path, os.R_OK):
            raise InvalidInputError(where=option, expected="a PEM file that can be read", got=path)
    try:
        if settings.tls_ca:
            context.load_verify_locations(settings.tls_ca)
    except OSError as error:
        raise InvalidInputError(where="--tls-ca", expected="a PEM certificate", got=settings.tls_ca or "") from error
    try:
        if settings.tls_cert:
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_refuse_to_ask)
    except (OSError, _EncryptedKeyError) as error:
        expected = "a PEM certificate and its key without a pass phrase (--tls-key)"
        raise InvalidInputError(where="--tls-cert", expected=expected, got=settings.tls_cert or "") from error


class _EncryptedKeyError(Exception):
    """A key that can be read only with a pass phrase."""


def _refuse_to_ask() -> str:
    """Keep OpenSSL from asking for a pass phrase on the terminal."""
    raise _EncryptedKeyError
