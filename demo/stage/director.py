"""The thread that starts everything, keeps it running, and does what the buttons ask for, one after the other.

All processes are started by this thread and end with it, whatever ends it (see `demo.parent`). A thread for each button
was rejected: two of them would stand in each other's way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.servers import ServerStartError
from demo.stage.acts import ACTS
from demo.stage.cast import Cast, StageError
from demo.stage.deeds import Deeds
from demo.stage.links import Link
from demo.stage.look import phase
from demo.stage.moments import NotDoneError
from demo.stage.pair import Pair
from shared.stopping import StopRequest

TICK_S = 0.05
ENDED = "a server or link of the stage was ended by somebody else"
# So that a run takes a few seconds, in which a button can be pressed. All that B reads A has written: it keeps up.
A_BYTES_PER_S = 256 * 1024
B_BYTES_PER_S = 512 * 1024


class StoppedError(Exception):
    """The stage is to end."""


class Director(threading.Thread):
    """Everything on the stage.

    Attributes:
        page_url: Where the page looks, known when it is up.
        error: Why it ended, empty when it was stopped; with its exit code.
    """

    def __init__(self, binary: Path, deeds: Deeds, stop: StopRequest, *, every_s: float) -> None:
        """Start nothing yet."""
        super().__init__(name="director", daemon=True)
        self.deeds = deeds
        self.page_url = ""
        self.error = ""
        self.exit_code = 0
        self.has_begun = threading.Event()
        self._binary, self._stop_request, self._every_s = binary, stop, every_s
        self._later: list[tuple[float, Callable[[], None]]] = []

    pair: Pair
    a_link: Link
    b_link: Link
    page_link: Link
    cast: Cast

    def run(self) -> None:
        """Play until a stop is requested, or something ends for good."""
        try:
            with ExitStack() as stack:
                self._set_up(stack)
                self.has_begun.set()
                while True:
                    self._do_next()
                    self.tick(TICK_S)
        except StoppedError:
            pass
        except StageError as error:
            self.error, self.exit_code = str(error), 70
        except ServerStartError as error:
            self.error, self.exit_code = str(error), 69
        except redis.RedisError as error:
            pair: Pair | None = getattr(self, "pair", None)  # it may not have come so far
            is_gone = pair is not None and not pair.is_running
            self.error, self.exit_code = ENDED if is_gone else f"a server of the stage does not answer: {error}", 69
        finally:
            if not self._stop_request.is_requested:
                self._stop_request.request()
            self.has_begun.set()

    @property
    def links(self) -> list[Link]:
        """All links."""
        return [self.a_link, self.b_link, self.page_link]

    def tick(self, seconds: float) -> None:
        """Keep everything running, then wait a moment.

        Raises:
            StoppedError: A stop was requested.
            ServerStartError: A server or link was ended, not by us.
            StageError: A program ended again and again.
        """
        if not self.pair.is_running or not all(link.is_running for link in self.links):
            raise ServerStartError(ENDED)
        self.cast.tend()
        now = time.monotonic()
        due, self._later = [each for each in self._later if each[0] <= now], [e for e in self._later if e[0] > now]
        for _, act in due:
            act()
        if self._stop_request.wait(seconds):
            raise StoppedError

    def wait_until(self, predicate: Callable[[], object], *, limit_s: float, why: str) -> None:
        """Wait until something is true, and keep everything running meanwhile.

        Raises:
            NotDoneError: It was not in time; `why` says what that means.
        """
        give_up_at = time.monotonic() + limit_s
        while not predicate():
            if time.monotonic() > give_up_at:
                raise NotDoneError(why)
            self.tick(0.02)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self._later.append((time.monotonic() + seconds, act))

    def settle(self) -> None:
        """Wait until what every server-b had sent has reached the server: carried in order, a PING comes after it."""
        with redis.Redis(port=self.b_link.port, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
            client.ping()

    def rest(self, seconds: float) -> None:
        """Wait, with nothing else going on."""
        if self._stop_request.wait(seconds):
            raise StoppedError

    def _set_up(self, stack: ExitStack) -> None:
        self.pair = Pair(self._binary, stack)
        for name, rate in (("a_link", A_BYTES_PER_S), ("b_link", B_BYTES_PER_S), ("page_link", 0)):
            link = Link(self.pair.primary.port, bytes_per_s=rate)
            stack.callback(link.close)
            setattr(self, name, link)
        self.page_url = self.page_link.url
        self.cast = Cast(self.a_link.url, self.b_link.url, self._unfinished, every_s=self._every_s)
        stack.callback(self.cast.close)

    def _unfinished(self) -> str:
        now = phase(self.pair.client)
        return now.run_id if now is not None and not now.is_finished else ""

    def _do_next(self) -> None:
        """Do what the oldest press that waits asks for."""
        entry = self.deeds.next_asked()
        if entry is None:
            return
        try:
            ACTS[entry.button.name](self, entry.number)
        except NotDoneError as error:
            self.deeds.refuse(entry.number, str(error))
