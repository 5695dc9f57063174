"""The web application: pages of runs, their events and reports, the style and the script. It only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.errors import HandoverError
from shared.page.facts import PageFacts
from shared.page.live.extra import Extra
from shared.page.live.guard import Guard
from shared.page.live.views import View, Views
from shared.page.render import FOLDER, page_html, report_html, style
from shared.text import shown_text
from shared.tokens import is_token

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

MAX_TABS = 200


def make_app(
    views: Views, report: Callable[[str], PageFacts], *, token: str, names: Iterable[str], extra: Extra
) -> ASGIApp:
    """Return the application behind its guard; `report` collects the facts of a run, in another thread."""
    pages = _Pages(views, report, extra)
    routes = [
        Route("/", pages.page),
        Route("/events", pages.events),
        Route("/runs/{run_id}", pages.page),
        Route("/events/runs/{run_id}", pages.events),
        Route("/runs/{run_id}/report.html", pages.report),
        Route("/style.css", lambda _: Response(style(), media_type="text/css")),
        Route("/page.js", lambda _: Response((FOLDER / "page.js").read_bytes(), media_type="text/javascript")),
        *extra.routes(),
    ]
    return Guard(Starlette(routes=routes), token=token, names=names, posts=extra.posts)


class _Pages:
    def __init__(self, views: Views, report: Callable[[str], PageFacts], extra: Extra) -> None:
        self._views, self._report, self._extra = views, report, extra

    async def page(self, request: Request) -> Response:
        """Return the page of a run with what is known now, so that it can be read without its script."""
        view = self._view(request)
        if view is None:
            return PlainTextResponse("This is no id of a run.\n", 404)
        await self._views.first(view)
        address = f"/runs/{view.run_id}" if view.run_id else ""
        panel, cookie = self._extra.panel(request)
        whole = page_html(view.html, title=view.title, address=address, panel=panel, foot=self._extra.foot)
        return HTMLResponse(whole, headers={"Set-Cookie": cookie} if cookie else None)

    async def events(self, request: Request) -> Response:
        """Return the events of a run."""
        view = self._view(request)
        if view is None:
            return PlainTextResponse("This is no id of a run.\n", 404)
        if sum(each.tabs for each in self._views.wanted()) >= MAX_TABS:
            return PlainTextResponse("Too many tabs are open.\n", 503)
        if request.method == "HEAD":  # whose answer ends, as events don't
            return Response(media_type="text/event-stream")
        seen = request.headers.get("last-event-id", "")
        return StreamingResponse(self._views.events(view, seen), media_type="text/event-stream")

    async def report(self, request: Request) -> Response:
        """Return a run's report as a file to save; shown here, our policy would refuse its style."""
        run_id = request.path_params["run_id"]
        if not is_token(run_id):
            return PlainTextResponse("This is no id of a run.\n", 404)
        try:
            facts = await run_in_threadpool(self._report, run_id)
        except HandoverError as error:
            return PlainTextResponse(shown_text(f"{error}") + "\n", 503)
        if facts.run is None:
            return PlainTextResponse("Nothing of this run is here.\n", 404)
        name = f'attachment; filename="handover-{run_id}.html"'
        return HTMLResponse(report_html(facts), headers={"Content-Disposition": name})

    def _view(self, request: Request) -> View | None:
        run_id = request.path_params.get("run_id", "")
        return self._views.ask(run_id) if not run_id or is_token(run_id) else None
