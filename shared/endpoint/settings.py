"""What a program was told about its endpoint.

One frozen object instead of a dozen arguments; its `repr` shows no secret, so it may be logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_URL = "redis://localhost:6379/0"
SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class EndpointSettings:
    """Where the endpoint is and how to prove who we are.

    Attributes:
        url: As given, possibly with a password in it.
        password: From the password variable; beats the URL's.
        password_file: Its first line is the password; beats both.
        auth: `key` (password or none) or `entra` (a token from Microsoft Entra ID).
        tls_ca: Certificate authorities to trust, PEM; the system's when None.
        tls_cert: Our own certificate, PEM, with `tls_key`.
        tls_insecure: Verify neither certificates nor host names.
        program: `server-a` or `server-b`, as warnings and the log name it.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    password: str | None = field(default=None, repr=False)
    password_file: str | None = None
    auth: str = "key"
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_insecure: bool = False
    program: str = "handover"
