"""TLS: certificates and host names are verified unless an option, never the URL, says otherwise."""

from __future__ import annotations

import os
import ssl
from functools import cache

from shared.endpoint.given_files import pem_path
from shared.endpoint.settings import EndpointSettings
from shared.errors import InvalidInputError


@cache
def tls_context(settings: EndpointSettings) -> ssl.SSLContext:
    """Return the context of all TLS connections; made once for the same options, since loading certificates is slow.

    `--tls-ca` replaces the system's authorities. redis-py's own option adds to them, so that a certificate of any
    public authority would still be accepted.

    Raises InvalidInputError if a file can't be used, or a key came without its certificate.
    """
    ca, cert, key = settings.tls_ca, settings.tls_cert, settings.tls_key
    if key and not cert:
        raise InvalidInputError(where="--tls-key", expected="--tls-cert beside it", got="none")
    for option, path in ((settings.tls_ca_option, ca), ("--tls-cert", cert), ("--tls-key", key)):
        if path and not os.access(path, os.R_OK):
            raise InvalidInputError(where=option, expected="a PEM file that can be read", got=path)
    ca_path, cert_path, key_path = (
        path and pem_path(path, option)
        for option, path in ((settings.tls_ca_option, ca), ("--tls-cert", cert), ("--tls-key", key))
    )
    try:
        context = ssl.create_default_context(cafile=ca_path)  # without a file: the system's authorities
    except OSError as error:
        raise InvalidInputError(where=settings.tls_ca_option, expected="a PEM certificate", got=ca or "") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if cert_path:
            # with an empty pass phrase OpenSSL asks for none on the terminal
            context.load_cert_chain(cert_path, key_path, password="")
    except OSError as error:
        expected = "a PEM certificate and its key without a pass phrase (--tls-key)"
        raise InvalidInputError(where="--tls-cert", expected=expected, got=cert or "") from error
    return context
