"""Serves the page: the web server in a thread of its own, the poller in the main thread, which gets the signals."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import uvicorn

from shared.errors import InvalidInputError
from shared.page.live.app import make_app
from shared.page.live.connections import ACCEPTED_AT_ONCE, BriefProtocol
from shared.page.live.poller import Poller
from shared.page.live.views import Views
from shared.stopping import StopRequest
from shared.text import typed_text


def serve(
    poller: Poller, views: Views, listen: str, hosts: Sequence[str] = (), *,
    stop: StopRequest, say: Callable[[str], None],
) -> None:  # fmt: skip
    """Serve until a stop is requested, then end at once, whatever tabs are open.

    Args:
        poller: What asks Redis, in the thread of the caller.
        views: What it shows.
        listen: The address.
        hosts: Names that are ours beside localhost, this host's own and addresses; the link has the first one.
        stop: Ends it.
        say: Gets the link.

    Raises:
        InvalidInputError: The address is none, or somebody else listens there.
    """
    host, port = parse_listen(listen)
    opened = _opened(host, port, listen)
    with opened:
        address = opened.getsockname()[0]
        is_loopback = ipaddress.ip_address(address.partition("%")[0]).is_loopback
        token = "" if is_loopback else secrets.token_urlsafe(24)
        names = ("localhost", host, socket.gethostname(), *hosts)
        app = make_app(views, poller.report, token=token, names=names, extra=poller.extra)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, date_header=False, lifespan="off",
            ws="none", http=BriefProtocol, loop="asyncio", timeout_graceful_shutdown=1, timeout_keep_alive=5,
            backlog=ACCEPTED_AT_ONCE, log_level="error",  # what strangers send wrongly is no warning of ours
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, name="web server", daemon=True)
        thread.start()
        try:
            say(_link(hosts[0] if hosts else host, opened.getsockname()[1], token))
            poller.run(stop, thread.is_alive)
        finally:
            server.should_exit = True
            views.close()
            thread.join(3)


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of an address such as `127.0.0.1:8080` or `[::1]:8080`."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise InvalidInputError(where="--listen", expected="an address like 127.0.0.1:8080", got=typed_text(text))
    return host, int(port)


def check_host_names(names: Iterable[str]) -> None:
    """Raise InvalidInputError if one of them is no host name, such as a URL or a name with its port."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?", name):
            expected = "a host name without a port, like page.example"
            raise InvalidInputError(where="--allow-host", expected=expected, got=typed_text(name))


def _opened(host: str, port: int, listen: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(ACCEPTED_AT_ONCE)
    except OSError as error:
        with suppress(OSError):
            opened.close()
        got = error.strerror or str(error)
        raise InvalidInputError(where=f"--listen {listen}", expected="an address to listen at", got=got) from error
    return opened


def _link(host: str, port: int, token: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - named here, where somebody asked for it
        shown = socket.gethostname()
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
