"""Looks at Redis for all tabs together, four times a second: one round trip that tells whether anything has changed.

Only then, and once in a while, the facts are collected anew. An endpoint that is away is opened again and again, and
the views say since when it is away and why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.together import Together
from shared.errors import HandoverError
from shared.page.collecting import Collector
from shared.page.facts import PageFacts
from shared.page.live.extra import Extra
from shared.page.live.peer import Peer
from shared.page.live.views import View, Views
from shared.page.render import VERDICTS, main_html
from shared.page.run_choice import local_verdicts
from shared.page.under_way import working_names
from shared.page.words import duration
from shared.program.options import CommonSettings
from shared.stopping import StopRequest

POLL_S = 0.25
REFRESH_S = 2.0  # what no pulse tells, such as how long a consumer has been idle
MOST_OPEN = 1_000  # takes about 0.3 s


@dataclass
class Poller:
    """The only one that talks to Redis; reports that tabs ask for take their turn."""

    common: CommonSettings
    peer: Peer | None
    views: Views
    extra: Extra = field(default_factory=Extra)
    _endpoint: Endpoint | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _collectors: dict[str, Collector] = field(init=False, default_factory=dict)
    _pulses: dict[str, tuple[Any, float]] = field(init=False, default_factory=dict)
    _facts: dict[str, PageFacts] = field(init=False, default_factory=dict)
    _stop: StopRequest | None = field(init=False, default=None)
    _away_since: float = field(init=False, default=0.0)
    looks: int = field(init=False, default=0)

    def open(self) -> None:
        """Connect, before anything is served: a URL that leads nowhere ends the program."""
        self._endpoint = open_endpoint(self.common.endpoint)
        if self.peer is not None:
            self.peer.start()

    def close(self) -> None:
        """Close the connection, and look at the peer no more."""
        if self.peer is not None:
            self.peer.end()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._endpoint is not None:
            self._endpoint.close()

    def run(self, stop: StopRequest, is_serving: Callable[[], bool]) -> None:
        """Look until a stop is requested, or nobody serves any more."""
        self._stop, pause_s = stop, POLL_S
        while is_serving() and not stop.wait(pause_s):
            began = time.monotonic()
            for view in self.views.wanted():
                self._draw(view)
            pause_s = max(POLL_S, time.monotonic() - began)  # a large run gets half of the time, no more

    def report(self, run_id: str) -> PageFacts:
        """Return the facts of a run for its report; HandoverError if they can't be had."""
        with self._lock:
            endpoint = self._opened()
            collector = Collector(endpoint, self.common.keys, self.common.endpoint.url.is_tls, run_id)
            return collector.look(local_verdicts(endpoint, self.common))

    def _draw(self, view: View) -> None:
        """Draw a view anew if something has changed."""
        began_at = time.monotonic()
        try:
            with self._lock:
                facts = self._look(view.run_id)
        except HandoverError as error:
            self._lose(error, view)
            self.views.looked(view, began_at)
            return
        self._away_since = 0.0
        known = facts or self._facts.get(view.run_id)
        if known is not None and (facts is not None or view.extra_version != self.extra.version):
            self._facts[view.run_id] = known
            self.views.show(view, title=title_of(known), html=self._html(view, known))
        self.views.looked(view, began_at)

    def _look(self, run_id: str) -> PageFacts | None:
        """Return the facts; None where nothing has changed."""
        endpoint = self._opened()
        known = self._facts.get(run_id)
        shown = known.run.run_id if known is not None and known.run is not None else run_id
        pulse = self._pulse(endpoint, shown)
        before, looked_at = self._pulses.get(run_id, (None, 0.0))
        if pulse == before and time.monotonic() - looked_at < REFRESH_S:
            return None
        if run_id not in self._collectors:
            is_tls = self.common.endpoint.url.is_tls
            self._collectors[run_id] = Collector(endpoint, self.common.keys, is_tls, run_id, MOST_OPEN)
            self._collectors[run_id].stop = self._stop
        collector = self._collectors[run_id]
        if self.peer is not None:
            collector.peer, collector.peer_away = self.peer.facts, self.peer.away
        self.looks += 1
        facts = collector.look(local_verdicts(endpoint, self.common))
        self._pulses[run_id] = (None if collector.is_behind else pulse), time.monotonic()
        wanted = {view.run_id for view in self.views.wanted()}
        for kept in (self._collectors, self._pulses, self._facts):
            for other in set(kept) - wanted - {run_id}:
                del kept[other]
        return facts

    def _pulse(self, endpoint: Endpoint, run_id: str) -> Any:  # noqa: ANN401 - replies, only compared
        """Return what changes when anything does, in one round trip. Redis: XREVRANGE, XLEN, XINFO, HMGET, HLEN."""
        keys, asked = self.common.keys, Together(endpoint)
        stream, letters, state = keys.signals(), keys.dead_letters(), keys.state(keys.segment(1))
        asked.at(stream).xrevrange(stream, count=1)
        asked.at(stream).xinfo_groups(stream)
        asked.at(letters).xlen(letters)
        asked.at(state).hmget(state, ["run_id", "attempt"])
        if names := self._working(run_id):
            asked.at(keys.reading()).hmget(keys.reading(), names)
        if run_id:
            asked.at(keys.run(run_id)).hmget(keys.run(run_id), ["published", "finished_ms", "outages", "samples"])
            asked.at(keys.result(run_id)).hlen(keys.result(run_id))
        return [str(reply) for reply in asked.send(raise_on_error=False)]

    def _working(self, run_id: str) -> list[str]:
        """Return who may be reading something, as the last look at a run found."""
        known = next((facts for facts in self._facts.values() if facts.run and facts.run.run_id == run_id), None)
        return working_names(known.group) if known is not None else []

    def _opened(self) -> Endpoint:
        """Return the endpoint, opened again if it was lost."""
        if self._endpoint is None:
            self._endpoint = open_endpoint(self.common.endpoint)
        return self._endpoint

    def _lose(self, error: HandoverError, view: View) -> None:
        """Say that the endpoint is away, why and for how long; it is opened again at the next look."""
        with self._lock:
            self._disconnect()
            self._endpoint = None
        self._collectors.clear()
        self._pulses.clear()
        now = time.monotonic()
        self._away_since = self._away_since or now
        lasted = duration(int(now - self._away_since) * 1_000)
        known = self._facts.get(view.run_id)
        away = f"The endpoint is away, for {lasted} now: {error}."
        html = self._html(view, known, away=away + (" What stands below is what was seen last." if known else ""))
        self.views.show(view, title="Endpoint away - Handover", html=html)

    def _html(self, view: View, facts: PageFacts | None, *, away: str = "") -> str:
        """Return what a view shows."""
        view.extra_version = self.extra.version
        return main_html(facts, away=away, first=self.extra.section(facts), deeds=self.extra.deeds())


def title_of(facts: PageFacts) -> str:
    """Return the title of a tab."""
    if facts.run is None:
        return f"{'Nothing of this run' if facts.runs else 'No run'} - Handover"
    run = facts.run
    progress = f" {run.verified:,} of {run.segments:,}" if run.verdict == "pending" else ""
    return f"{VERDICTS[run.verdict]}{progress} - run {run.run_id}"
