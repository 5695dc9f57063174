"""Retries: how long transient faults are waited out, and what an outage cost.

Counted from the last successful reply, not from the first fault of each command, so that a server that accepts
connections and then drops them can't hold a program for ever. Pauses grow, are bounded, and have jitter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, ParamSpec, TypeVar

from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.stopping import StopRequest

P = ParamSpec("P")
T = TypeVar("T")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Outage(NamedTuple):
    """From the last successful reply before an outage to the first one after it, on this host's monotonic clock."""

    began_s: float
    ended_s: float


class Retry:
    """Repeats what may be repeated, for so many seconds without one successful reply.

    Attributes:
        outages: Those that are over.
        outage_count: How many there were, one that is not over included.
    """

    def __init__(
        self,
        limit_s: float,
        stop: StopRequest,
        *,
        on_outage: Callable[[TransientError], None],
        refresh: Callable[[], None],
        final: tuple[type[TransientError], ...] = (),
    ) -> None:
        """Start with a success now.

        Args:
            limit_s: Seconds without a successful reply after which the fault is final; 0 not to retry at all.
            stop: Ends a pause at once.
            on_outage: Called at the first fault of each outage.
            refresh: Called after each pause, to look again where the servers are; may fail.
            final: Faults that `keep_trying` raises at once.
        """
        self._limit_s = limit_s
        self._stop = stop
        self._on_outage = on_outage
        self._refresh = refresh
        self._final = final
        self._last_success = time.monotonic()
        self._pause_s = 0.0
        self.outages: list[Outage] = []
        self.outage_count = 0

    @property
    def outage_s(self) -> float:
        """Seconds of all outages that are over."""
        return sum((outage.ended_s - outage.began_s for outage in self.outages), start=0.0)

    def succeeded(self) -> None:
        """Note a successful reply."""
        now = time.monotonic()
        if self._pause_s:
            self.outages.append(Outage(self._last_success, now))
            self._pause_s = 0.0
        self._last_success = now

    def wait_out(self, error: TransientError) -> None:
        """Pause after a fault, so that the caller may try again.

        Raises:
            EndpointUnreachableError: The time is over and nobody answered.
            NotFinishedError: It is over though a server answered, or a stop was requested.
        """
        if not self._pause_s:
            self.outage_count += 1
            self._on_outage(error)
        if time.monotonic() - self._last_success >= self._limit_s:
            raise error.lasting() from error
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        if self._stop.wait(self._pause_s * random.uniform(0.5, 1.0)):
            raise NotFinishedError(where=error.where, expected="an answer", got="a stop request") from error
        with suppress(HandoverError):  # what it would say, the next try says too
            self._refresh()

    def keep_trying(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what an operation returns, repeating it after transient faults; it must bear repetition."""
        while True:
            try:
                result = operation(*args, **kwargs)
            except TransientError as error:
                if isinstance(error, self._final):
                    raise
                self.wait_out(error)
            else:
                self.succeeded()
                return result
