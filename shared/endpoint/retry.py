"""Retries: how long transient faults are waited out, and what an outage cost.

The limit counts from the last successful reply, not from the first fault of each command: a server that accepts
connections and then drops them can't hold a program for ever. Pauses grow, are bounded, and have jitter.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, ParamSpec, TypeVar

from shared.errors import FullServerError, HandoverError, NotFinishedError, TransientError
from shared.stopping import StopRequest

P = ParamSpec("P")
T = TypeVar("T")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
FREEING_S, FREEING_PAUSE_S = 5.0, 0.1
MAX_OUTAGES_KEPT = 1_000


def growing_pauses(first_s: float, longest_s: float) -> Iterator[float]:
    """Yield pauses that double up to a limit, each with jitter, so that several that wait don't stay in step."""
    pause_s = first_s
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(longest_s, pause_s * 2)


class Outage(NamedTuple):
    """From the last successful reply before an outage to the first one after it, on this host's monotonic clock."""

    began_s: float
    ended_s: float


@dataclass(eq=False)
class Retry:
    """Repeats operations after transient faults, until `limit_s` have passed without one successful reply."""

    limit_s: float  # seconds; 0 not to retry at all
    stop: StopRequest  # ends a pause at once
    on_outage: Callable[[TransientError], None]  # called at the first fault of each outage
    refresh: Callable[[], None]  # called after each pause, to look again where the servers are; may fail
    final: tuple[type[TransientError], ...] = ()  # faults that `keep_trying` raises at once
    outages: list[Outage] = field(init=False, default_factory=list)  # the newest 1,000 of those that are over
    over_count: int = field(init=False, default=0)  # how many are over
    outage_s: float = field(init=False, default=0.0)  # seconds of all that are over
    outage_count: int = field(init=False, default=0)  # how many there were, one that is not over included
    _last_success: float = field(init=False)
    _freeing_until_s: float = field(init=False, default=-math.inf)
    _pauses: Iterator[float] | None = field(init=False, default=None)  # of the outage that is not over

    def __post_init__(self) -> None:
        self._last_success = time.monotonic()

    def outages_since(self, over_count: int) -> list[Outage]:
        """Return the outages that were over after the first `over_count`, the newest 1,000 at most."""
        return self.outages[max(0, len(self.outages) - (self.over_count - over_count)) :]

    def succeeded(self) -> None:
        """Note a successful reply."""
        now = time.monotonic()
        if self._pauses is not None:
            self.outages.append(Outage(self._last_success, now))
            del self.outages[:-MAX_OUTAGES_KEPT]
            self.over_count += 1
            self.outage_s += now - self._last_success
            self._pauses = None
        self._last_success = now

    def worked_here(self) -> None:
        """Note that we were busy without the server: its silence meanwhile says nothing, and is no outage."""
        if self._pauses is None:
            self._last_success = time.monotonic()

    def wait_out(self, error: TransientError) -> None:
        """Pause after a fault, so that the caller may try again.

        Raises:
            EndpointUnreachableError: The time is over and nobody answered.
            NotFinishedError: It is over though a server answered, or a stop was requested.
        """
        if self._pauses is None:
            self.outage_count += 1
            self.on_outage(error)
        if time.monotonic() - self._last_success >= self.limit_s:
            raise error.lasting() from error
        self._pauses = self._pauses or growing_pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        if self.stop.wait(next(self._pauses)):
            raise NotFinishedError(where=error.where, expected="an answer", got="a stop request") from error
        with suppress(HandoverError):  # the next try meets the same fault and raises it
            self.refresh()

    def note_freeing(self) -> None:
        """Note that much was removed: a server frees that in a thread of its own, and is full meanwhile."""
        self._freeing_until_s = time.monotonic() + FREEING_S

    def wait_for_room(self, error: FullServerError) -> None:
        """Pause while a server may still be freeing what was removed, for 5 seconds at most; then raise the error.

        Raises NotFinishedError if a stop was requested.
        """
        if time.monotonic() >= self._freeing_until_s:
            raise error
        if self.stop.wait(FREEING_PAUSE_S):
            raise NotFinishedError(where=error.where, expected=error.expected, got="a stop request") from error

    def keep_trying(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what an operation returns, repeating it after transient faults; it must bear repetition."""
        while True:
            try:
                result = operation(*args, **kwargs)
            except self.final:
                raise
            except TransientError as error:
                self.wait_out(error)
            except FullServerError as error:
                self.wait_for_room(error)
            else:
                self.succeeded()
                return result
