"""Patience: how long transient faults are waited out, and what an outage cost.

Counted from the last successful reply, not from the first fault of each command, so that a server that accepts
connections and then drops them can't hold a program for ever. Back-off is bounded and has jitter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from shared.errors import ConnectionLostError, HandoverError, NotFinishedError
from shared.stopping import StopRequest

T = TypeVar("T")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Patience:
    """Repeats what may be repeated, for so many seconds without one successful reply.

    Attributes:
        outage_s: Seconds of all outages so far, each from the last success to the next.
        outages: How many there were.
    """

    def __init__(
        self,
        limit_s: float,
        stop: StopRequest,
        *,
        on_outage: Callable[[ConnectionLostError], None],
        refresh: Callable[[], None],
    ) -> None:
        """Start with a success now.

        Args:
            limit_s: Seconds without a successful reply after which the fault is final; 0 for no patience at all.
            stop: Ends a pause at once.
            on_outage: Called at the first fault of each outage.
            refresh: Called after each pause, to look again where the servers are; may fail.
        """
        self._limit_s = limit_s
        self._stop = stop
        self._on_outage = on_outage
        self._refresh = refresh
        self._last_success = time.monotonic()
        self._pause_s = 0.0
        self.outage_s = 0.0
        self.outages = 0

    def succeeded(self) -> None:
        """Note a successful reply."""
        now = time.monotonic()
        if self._pause_s:
            self.outage_s += now - self._last_success
            self._pause_s = 0.0
        self._last_success = now

    def wait_out(self, error: ConnectionLostError) -> None:
        """Pause after a fault, so that the caller may try again.

        Raises:
            EndpointUnreachableError: Patience is at its end and nobody answered.
            NotFinishedError: It is at its end though a server answered, or a stop was requested.
        """
        if not self._pause_s:
            self.outages += 1
            self._on_outage(error)
        if time.monotonic() - self._last_success >= self._limit_s:
            raise error.lasting() from error
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        if self._stop.wait(self._pause_s * random.uniform(0.5, 1.0)):
            raise NotFinishedError(where=error.where, expected="an answer", got="a stop request") from error
        with suppress(HandoverError):  # what it would say, the next try says too
            self._refresh()

    def keep_trying(self, operation: Callable[[], T]) -> T:
        """Return what an operation returns, repeating it after transient faults; it must bear repetition."""
        while True:
            try:
                result = operation()
            except ConnectionLostError as error:
                self.wait_out(error)
            else:
                self.succeeded()
                return result
