"""The options that say where the endpoint is and how to log in; the `repr` shows no secret, so it may be logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shared.endpoint.url import EndpointUrl, parse_url

DEFAULT_URL = "redis://localhost:6379/0"
SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0


def _say_nothing(_program: str, _sentence: str) -> None:
    """Say nothing, as a writer's process does: its parent has said it."""


@dataclass(frozen=True)
class EndpointSettings:
    """The endpoint options of a command line."""

    url: EndpointUrl = field(default=parse_url(DEFAULT_URL), repr=False)
    password: str | None = field(default=None, repr=False)  # from the password variable; used instead of the URL's
    password_file: str | None = field(default=None, repr=False)  # its first line is used instead of either
    sentinel_password: str | None = field(default=None, repr=False)  # the same three ways for the login at Sentinels
    sentinel_password_file: str | None = field(default=None, repr=False)
    auth: str = "key"  # `key` (a password or none) or `entra` (a token from Microsoft Entra ID)
    tls_ca: str | None = None  # PEM file of the certificate authorities to trust; None for the system's
    tls_cert: str | None = None  # PEM file of our own certificate, whose key is in `tls_key`
    tls_key: str | None = None
    tls_insecure: bool = False  # verify neither certificates nor host names
    password_option: str = "--password-file"  # noqa: S105 - where the file's name comes from, for messages
    tls_ca_option: str = "--tls-ca"  # the same
    program: str = "handover"  # `server-a` or `server-b`
    warn: Callable[[str, str], None] = field(default=_say_nothing, repr=False, compare=False)  # program, sentence


def without_warnings(settings: EndpointSettings) -> EndpointSettings:
    """Return the settings for another process of the same program."""
    return replace(settings, warn=_say_nothing)
