"""Pauses without the time they take: a stop request that notes for how long was to be waited, and lets nobody wait."""

from __future__ import annotations

from shared.stopping import StopRequest


class NotedPauses(StopRequest):
    """A stop request that comes by itself.

    Attributes:
        pauses_s: How long each wait was to be.
    """

    def __init__(self, *, most: int) -> None:
        """Let so many waits begin; with the last one comes the stop."""
        super().__init__()
        self.pauses_s: list[float] = []
        self._most = most

    def wait(self, seconds: float) -> bool:
        """Note it, and return at once."""
        self.pauses_s.append(seconds)
        if len(self.pauses_s) == self._most:
            self.request()
        return super().wait(0)
