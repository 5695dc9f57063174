"""A's endpoint, for the picture of the page: looked at in a thread of its own, over one connection.

One that does not answer must not hold back what the page is for: opening it took five seconds at each look. It is
opened again after growing pauses, and the page says since when it does not answer, and why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.errors import HandoverError
from shared.page.endpoint_facts import endpoint_facts
from shared.page.facts import EndpointFacts
from shared.page.words import duration
from shared.text import shortened

LOOK_S = 2.0
MAX_PAUSE_S = 30.0
MAX_WHY_BYTES = 400


@dataclass
class Peer:
    """What was seen of the endpoint last, and what is wrong with it now."""

    settings: EndpointSettings
    key: str
    is_wanted: Callable[[], bool]
    facts: EndpointFacts | None = field(init=False, default=None)
    _why: str = field(init=False, default="")
    _away_since: float = field(init=False, default=0.0)
    _ended: threading.Event = field(init=False, default_factory=threading.Event)
    _thread: threading.Thread | None = field(init=False, default=None)

    @property
    def away(self) -> str:
        """Why it does not answer and for how long; empty while it does."""
        why, since = self._why, self._away_since
        lasted = duration(int(time.monotonic() - since) * 1_000)
        return f"it has not answered for {lasted}: {why}" if why else ""

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="peer", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Look no more; a look that waits for an answer is left to itself."""
        self._ended.set()

    def _run(self) -> None:
        pause_s = LOOK_S
        while not self._ended.is_set():
            try:
                with closing(open_endpoint(self.settings)) as endpoint:
                    while not self._ended.is_set():
                        if self.is_wanted():
                            is_tls = self.settings.url.is_tls
                            self.facts = endpoint_facts(endpoint, self.key, is_encrypted=is_tls)
                            self._why, pause_s = "", LOOK_S
                        self._ended.wait(LOOK_S)
            except HandoverError as error:
                if not self._why:
                    self._away_since = time.monotonic()
                self._why = shortened(str(error), MAX_WHY_BYTES)
                self._ended.wait(pause_s)
                pause_s = min(MAX_PAUSE_S, pause_s * 2)
