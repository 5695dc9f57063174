"""What the stage's page has beside the page of `server-b page`: buttons, and the list of what was done.

A press is a POST of a form. It is let through with a token that belongs to the browser's session, a cookie which no
page of another site can send (SameSite=Strict) and no script can read (HttpOnly); a token of an earlier start is void.
The answer has no content, so the browser stays where it is, and what was done comes with the next event.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo.stage.buttons import BUTTONS
from demo.stage.deeds import Deeds
from shared.page.facts import Deed, PageFacts
from shared.page.live.extra import Extra
from shared.page.render import VERDICTS
from shared.page.words import duration, moment
from shared.text import shown_text

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).parent / "templates"
COOKIE = "handover-stage"
PRESS = "/press"
MAX_BODY_BYTES = 1_000
SHOWN = 8


class StageExtra(Extra):
    """Buttons and what was done with them."""

    posts = frozenset({PRESS})
    foot = "The buttons act on the processes and servers that make stage has started, and on nothing else."

    def __init__(self, deeds: Deeds) -> None:
        """Begin with a secret of its own."""
        self._deeds = deeds
        self._secret = secrets.token_bytes(32)
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, finalize=lambda value: shown_text(value) if type(value) is str else value,
        )  # fmt: skip
        self._templates.filters.update(moment=moment, duration=duration)

    @property
    def version(self) -> int:
        """Changes with each press, and with what becomes of it."""
        return self._deeds.version

    def deeds(self) -> Sequence[Deed]:
        """Return what was done."""
        return self._deeds.on_time_line()

    def section(self, facts: PageFacts | None) -> str:
        """Return the list of what was done, the newest first, with the verdict of the run it was done to."""
        verdicts = {run.run_id: VERDICTS[run.verdict] for run in facts.runs} if facts is not None else {}
        entries = self._deeds.all()[::-1][:SHOWN]
        return self._templates.get_template("done.html").render(entries=entries, verdicts=verdicts)

    def panel(self, request: Request) -> tuple[str, str]:
        """Return the buttons with the token of the session, and the cookie of one that begins."""
        session, cookie = request.cookies.get(COOKIE, ""), ""
        if not session.isascii() or not 20 <= len(session) <= 100:
            session = secrets.token_urlsafe(24)
            cookie = f"{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/"
        template = self._templates.get_template("panel.html")
        return template.render(buttons=BUTTONS.values(), action=PRESS, token=self._token(session)), cookie

    def routes(self) -> list[Route]:
        """Return where a button is pressed, and the style of the panel."""
        style = (FOLDER / "stage.css").read_text("utf-8")
        return [
            Route(PRESS, self._press, methods=["POST"]),
            Route("/stage.css", lambda _: Response(style, media_type="text/css")),
        ]

    async def _press(self, request: Request) -> Response:
        """Note that a button was pressed."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return PlainTextResponse("This is more than a button sends.\n", 413)
        sent = parse_qs(body.decode("ascii", "replace"))
        token = sent.get("token", [""])[-1]
        session = request.cookies.get(COOKIE, "")
        is_known = session != "" and hmac.compare_digest(token.encode(), self._token(session).encode())
        if not is_known or not _is_own(request):
            return PlainTextResponse("Load the page again, then press the button there.\n", 403)
        button = BUTTONS.get(sent.get("button", [""])[-1])
        if button is None:
            return PlainTextResponse("There is no such button.\n", 400)
        if not self._deeds.ask(button):
            return PlainTextResponse("Too much waits to be done.\n", 503)
        return Response(status_code=204)

    def _token(self, session: str) -> str:
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()


def _is_own(request: Request) -> bool:
    """Tell whether our own page sent a request; `null` is what a page says that must not tell, as ours."""
    origin, site = request.headers.get("origin", "null"), request.headers.get("sec-fetch-site", "same-origin")
    is_own = origin == "null" or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return is_own and site == "same-origin"
