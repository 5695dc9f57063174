"""A clock in place of `time`, for what measures or limits seconds."""

from __future__ import annotations


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        """Start at some time."""
        self._now_s = 1_000.0

    def monotonic(self) -> float:
        """Return the seconds of this clock."""
        return self._now_s

    def move(self, seconds: float) -> None:
        """Let seconds go by."""
        self._now_s += seconds
