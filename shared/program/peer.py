"""The options that name the other program's endpoint, for `server-a check` and `server-b page`.

The peer's files have options of their own: the two users have two passwords, and two services two authorities. What is
not given is the variable of the peer's program (login) or our own option (TLS), so that one shell can serve both.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.endpoint.given_files import hold_streams
from shared.endpoint.url import EndpointUrl
from shared.program.options import CommonSettings, F, option, url_of_option, variable
from shared.program.warnings import warn_of_peer

PASSWORD_FILE = "--peer-password-file"  # noqa: S105 - the name of an option
TLS_CA = "--peer-tls-ca"


def peer_options(program: str, peer: str, help_text: str) -> Callable[[F], F]:
    """Return a decorator that adds the options and passes the settings, None without a URL, as `peer`, second argument.

    Args:
        program: Whose command it is.
        peer: The program whose endpoint is named; its variables hold the login where no option does.
        help_text: What the URL is for.
    """
    file_help = f"Its first line is the peer's password; default: {variable(peer, '--password-file')}."
    options = [
        option(program, "--peer-url", metavar="URL", callback=url_of_option, help=help_text),
        option(program, PASSWORD_FILE, metavar="FILE", help=file_help),
        option(program, TLS_CA, metavar="FILE", help="The peer's certificate authorities; default: --tls-ca."),
    ]

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_peer(
            common: CommonSettings,
            *,
            peer_url: EndpointUrl | None,
            peer_password_file: str | None,
            peer_tls_ca: str | None,
            **arguments: Any,
        ) -> object:
            settings = None
            if peer_url is not None:
                login = _login(peer, peer_password_file) | _authorities(peer_tls_ca)
                settings = replace(common.endpoint, url=peer_url, **login)
            given = {PASSWORD_FILE: peer_password_file, TLS_CA: peer_tls_ca}
            warn_of_peer(common.endpoint, settings, given)
            if settings is not None:
                hold_streams(settings)
            return function(common, settings, **arguments)

        for add_option in reversed(options):
            with_peer = add_option(with_peer)
        return with_peer  # type: ignore[return-value]

    return decorate


def _login(peer: str, password_file: str | None) -> dict[str, Any]:
    """Return the logins at the peer and its Sentinels; a file that an option names beats the variables."""
    logins = ("password", "password_file", "sentinel_password", "sentinel_password_file")
    found: dict[str, Any] = {name: os.environ.get(variable(peer, f"--{name}")) or None for name in logins}
    found["password_option"] = variable(peer, "--password-file")
    return found | ({"password_file": password_file, "password_option": PASSWORD_FILE} if password_file else {})


def _authorities(tls_ca: str | None) -> dict[str, Any]:
    return {"tls_ca": tls_ca, "tls_ca_option": TLS_CA} if tls_ca else {}
