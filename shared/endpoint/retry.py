"""Retries: how long transient faults are waited out, and what an outage cost.

The limit counts from the last successful reply, not from the first fault of each command: a server that accepts
connections and then drops them can't hold a program for ever. Pauses grow, are bounded, and have jitter.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
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


@dataclass(eq=False)
class Retry:
    """Repeats operations after transient faults, until `limit_s` have passed without one successful reply.

    Attributes:
        limit_s: Seconds; 0 not to retry at all.
        stop: Ends a pause at once.
        on_outage: Called at the first fault of each outage.
        refresh: Called after each pause, to look again where the servers are; may fail.
        final: Faults that `keep_trying` raises at once.
        outages: Those that are over.
        outage_count: How many there were, one that is not over included.
    """

    limit_s: float
    stop: StopRequest
    on_outage: Callable[[TransientError], None]
    refresh: Callable[[], None]
    final: tuple[type[TransientError], ...] = ()
    outages: list[Outage] = field(init=False, default_factory=list)
    outage_count: int = field(init=False, default=0)
    _last_success: float = field(init=False)
    _pause_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._last_success = time.monotonic()

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
            self.on_outage(error)
        if time.monotonic() - self._last_success >= self.limit_s:
            raise error.lasting() from error
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        if self.stop.wait(self._pause_s * random.uniform(0.5, 1.0)):
            raise NotFinishedError(where=error.where, expected="an answer", got="a stop request") from error
        with suppress(HandoverError):  # the next try meets the same fault and raises it
            self.refresh()

    def keep_trying(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what an operation returns, repeating it after transient faults; it must bear repetition."""
        while True:
            try:
                result = operation(*args, **kwargs)
            except self.final:
                raise
            except TransientError as error:
                self.wait_out(error)
            else:
                self.succeeded()
                return result
