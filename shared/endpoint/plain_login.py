"""Whether a login goes over the network where others can read it."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from shared.endpoint.settings import EndpointSettings


def plain_login(settings: EndpointSettings) -> str:
    """Return what is wrong with the way of the login; empty where nobody can read it."""
    url = settings.url
    has_login = url.password or settings.password or settings.password_file or settings.auth != "key"
    others = [host for host, _ in url.hosts if not is_this_host(host)]
    if url.is_tls or not (has_login and others):
        return ""
    what = "token" if settings.auth != "key" else "password"
    return f"the {what} goes to {others[0]} unencrypted, as do all data; use rediss:// where the server has TLS"


def is_this_host(host: str) -> bool:
    """Tell whether a host name or address leads to this machine whatever the network says."""
    name = host.lower().rstrip(".")
    with suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name == "localhost" or name.endswith(".localhost")
