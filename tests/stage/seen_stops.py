"""A stop request that a link brings, in the midst of a request that goes on once the run has seen it.

A stop that is only requested then is seen at another moment on each machine: a run whose loop is held up meanwhile may
have published more by then.
"""

from __future__ import annotations

import threading

from shared.stopping import StopRequest

_SEEN_S = 60.0


class SeenStop(StopRequest):
    """A stop request that knows whether somebody has looked since it came."""

    def __init__(self) -> None:
        """Request nothing yet."""
        super().__init__()
        self._is_seen = threading.Event()

    def request_and_be_seen(self) -> None:
        """Request a stop, and return when the run has seen it; not in the midst of what its own thread waits for."""
        self.request()
        assert self._is_seen.wait(_SEEN_S), "the run never looked for a stop request"

    def wait(self, seconds: float) -> bool:
        """Wait as a stop request does."""
        is_requested = super().wait(seconds)
        self._note()
        return is_requested

    def check(self, what: str) -> None:
        """Raise as a stop request does."""
        self._note()
        super().check(what)

    def _note(self) -> None:
        if self.is_requested:
            self._is_seen.set()
