"""What the tabs show: one view for each run that is looked at, however many tabs show it.

The poller, in the main thread, sets what a view shows; the tabs wait for it in the event loop of the web server.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

MAX_VIEWS = 20
ALIVE_EVERY_S = 10.0
ASKED_FOR_S = 3.0  # a view that was asked for is drawn for so long, also before its tab listens
FIRST_LOOK_S = 5.0
# A browser opens six connections to us at most, for all its tabs together, and a tab that listens keeps one. So a few
# tabs listen without end, and any more come again and again, each for a moment, and leave room for each other.
MAX_LASTING = 3
MOMENT_S = 0.1
AGAIN_MS = 300


@dataclass(eq=False)
class View:
    """One run, or the newest one for an empty id."""

    run_id: str
    title: str = "Handover"
    html: str = ""
    version: int = 0
    extra_version: int = 0  # of what `Extra` had when the view was drawn
    tabs: int = 0
    looked_at: float = 0.0  # when the last look at the run began
    awaited: int = 0  # pages that wait for a look
    asked_at: float = field(default_factory=time.monotonic)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody looks at it."""
        return self.tabs > 0 or time.monotonic() - self.asked_at < ASKED_FOR_S


class Views:
    """All views; made in one thread and read in another, under one lock."""

    def __init__(self) -> None:
        """Begin with none."""
        self._views: dict[str, View] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._origin = secrets.token_hex(4)  # what a tab saw of a page before us says nothing
        self._lasting = 0
        self.is_closed = False

    def ask(self, run_id: str) -> View:
        """Return the view of a run, which is drawn from now on; the one that nobody asked for longest makes room."""
        self._loop = asyncio.get_running_loop()
        with self._lock:
            view = self._views.setdefault(run_id, View(run_id))
            view.asked_at = time.monotonic()
            idle = sorted((other for other in self._views.values() if not other.tabs), key=lambda each: each.asked_at)
            for other in idle[: max(0, len(self._views) - MAX_VIEWS)]:
                del self._views[other.run_id]
        return view

    def wanted(self) -> list[View]:
        """Return the views that somebody looks at."""
        with self._lock:
            return [view for view in self._views.values() if view.is_wanted]

    def show(self, view: View, *, title: str, html: str) -> None:
        """Show something else in the tabs of a view, if it is something else."""
        if (title, html) != (view.title, view.html):
            view.title, view.html = title, html
            view.version += 1
            self._wake([view])

    def close(self) -> None:
        """End what the tabs wait for."""
        self.is_closed = True
        with self._lock:
            self._wake(list(self._views.values()))

    def looked(self, view: View, began_at: float) -> None:
        """Note that a view shows what was there at a moment, for a page that waits for it."""
        view.looked_at = began_at
        if view.awaited:
            self._wake([view])

    async def first(self, view: View) -> None:
        """Wait until a view shows what is there now, five seconds at most."""
        asked_at, view.awaited = time.monotonic(), view.awaited + 1
        try:
            while view.looked_at < asked_at and not self.is_closed:
                left_s = asked_at + FIRST_LOOK_S - time.monotonic()
                await asyncio.wait_for(view.changed.wait(), max(0.0, left_s))
        except TimeoutError:
            return
        finally:
            view.awaited -= 1

    async def events(self, view: View, seen: str = "") -> AsyncIterator[str]:
        """Yield Server-Sent Events: what the view shows unless it was seen, and after each change; see MAX_LASTING."""
        is_lasting = self._lasting < MAX_LASTING
        self._lasting += is_lasting
        view.tabs += 1
        try:
            yield f"retry: {AGAIN_MS}\n\n"
            while not self.is_closed:
                changed, drawn = view.changed, f"{self._origin}-{view.version}"
                if view.version and seen != drawn:
                    seen = drawn
                    yield f"id: {seen}\ndata: {json.dumps({'title': view.title, 'html': view.html})}\n\n"
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), ALIVE_EVERY_S if is_lasting else MOMENT_S)
                except TimeoutError:
                    if not is_lasting:
                        return
                    yield ": still here\n\n"
        finally:
            self._lasting -= is_lasting
            view.tabs -= 1
            view.asked_at = time.monotonic()

    def _wake(self, views: list[View]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            for view in views:
                self._loop.call_soon_threadsafe(_set, view)


def _set(view: View) -> None:
    changed, view.changed = view.changed, asyncio.Event()
    changed.set()
