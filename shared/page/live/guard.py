"""Who may read the page: the door in front of everything it serves.

Loopback alone unless told otherwise, and then whoever has the token. The Host header is looked at in any case: a web
page elsewhere can give its own name our address, and its script would then read us as if we were its own server.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "handover-page"
MAX_OTHERS = 7  # pages of this host whose tokens the cookie has beside ours: browsers give it to all ports of a host
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
        if _is_of_another_origin(headers):
            return PlainTextResponse("Another origin's page can't read this one.\n", 403)
        is_posted = scope["method"] == "POST" and scope["path"] in self._posts
        if not is_posted and scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("This page is only read.\n", 405, headers={"Allow": "GET, HEAD"})
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        known = _tokens(headers.get("cookie", ""))
        if not self._token or (not self._is_token(given) and any(map(self._is_token, known))):
            return None
        if not self._is_token(given):
            return PlainTextResponse("Open the link that server-b page has printed.\n", 403)
        others = [token for token in known if not self._is_token(token)][-MAX_OTHERS:]
        answer = HTMLResponse(_ENTRANCE)  # also for who has the cookie: the token must not stay in the address
        answer.set_cookie(COOKIE, ".".join([*others, self._token]), httponly=True, samesite="strict")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _is_ours(self, hosts: list[str]) -> bool:
        """Tell whether a request names us: by an address (with a token by any, else a loopback one), or a name."""
        if len(hosts) != 1:
            return False
        parts = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?", hosts[0].lower())
        if parts is None:
            return False
        name = parts[1] or parts[2]
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return bool(self._token) or address.is_loopback


def _tokens(cookies: str) -> list[str]:
    """Return the tokens of the pages that a browser was let in to."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return []
    return re.findall(r"[A-Za-z0-9_-]{16,64}", found.value) if found is not None else []


def _is_of_another_origin(headers: Headers) -> bool:
    """Tell whether a browser says that another origin's page asks, other than by a link that somebody follows.

    Such a page could not read the answer anyway; but each answer costs a look at Redis, a report of a large run
    seconds.
    """
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")
