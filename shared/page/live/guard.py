"""Who may read the page: the door in front of everything it serves.

Loopback alone unless told otherwise, and then whoever has the token. The Host header is looked at in any case: a web
page elsewhere can give its own name our address, and its script would then read us as if we were its own server.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "handover-page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# A redirect would not carry a SameSite=Strict cookie when the link was followed elsewhere; our own page's does.
_ENTRANCE = '<!DOCTYPE html><title>Handover</title><meta http-equiv="refresh" content="0;url=/"><a href="/">Enter</a>'


class Guard:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp, *, token: str, names: Iterable[str], posts: Collection[str] = ()) -> None:
        """Guard an application.

        Args:
            app: What is guarded.
            token: What whoever reads must have; empty for nothing, on loopback.
            names: Host names that are ours, beside addresses.
            posts: Paths that let POST through, which whatever answers there has to check; none on `server-b page`.
        """
        self._app, self._token, self._names = app, token, {name.lower() for name in names}
        self._posts = frozenset(posts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through; every answer has our headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return what answers in place of the application; None where the request is let through."""
        headers = Headers(scope=scope)
        if not self._is_ours(headers.getlist("host")):
            return PlainTextResponse("This name is not this page's.\n", 421)
        is_posted = scope["method"] == "POST" and scope["path"] in self._posts
        if not is_posted and scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("This page is only read.\n", 405, headers={"Allow": "GET, HEAD"})
        if not self._token or self._has_token(headers.get("cookie", "")):
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return PlainTextResponse("Open the link that server-b page has printed.\n", 403)
        answer = HTMLResponse(_ENTRANCE)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
        return answer

    def _has_token(self, cookies: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._token.encode())

    def _is_ours(self, hosts: list[str]) -> bool:
        """Tell whether a request names us: by an address (with a token by any, else a loopback one), or a name."""
        if len(hosts) != 1:
            return False
        name = hosts[0].lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.rpartition(":")[0] or name
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return bool(self._token) or address.is_loopback
