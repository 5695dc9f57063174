"""How many values a second: over the last seconds of work, without the time in which nothing was to be done.

The average since the start was rejected: it sells waiting as slowness, and what a resumed run kept as speed.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0
SHORT_REST_S = 0.25  # between two segments: part of the work
_STEP_S = 0.1


class Pace:
    """Counts values over the seconds of work; moments are those of a clock that never goes back."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()  # seconds of work and values by then
        self._worked_s = 0.0
        self._values = 0
        self._at_s: float | None = None  # up to when time was counted; None before the first values
        self._rests = False

    def add(self, values: int, now_s: float) -> None:
        """Count values that the work since the last call has brought; the first ones only start the clock."""
        self._pass_time(now_s)
        self._values += values
        if len(self._points) > 1 and self._worked_s - self._points[-2][0] < _STEP_S:
            self._points.pop()
        self._points.append((self._worked_s, self._values))
        while len(self._points) > 2 and self._worked_s - self._points[1][0] >= WINDOW_S:
            self._points.popleft()

    def shift(self, values: int) -> None:
        """Take values back that are to be done again: the work on them was done all the same."""
        self._values += values
        self._points = deque((worked_s, each + values) for worked_s, each in self._points)

    def work(self, now_s: float) -> None:
        """Begin or go on: the time from now on counts."""
        self._pass_time(now_s)
        if not self._points:
            self._points.append((self._worked_s, self._values))

    def rest(self, now_s: float) -> None:
        """Nothing is to be done from now on, until there is again."""
        if self._at_s is not None:
            self._pass_time(now_s)
        self._rests = True

    def rested_s(self, now_s: float) -> float:
        """Return for how long nothing was to be done."""
        return now_s - self._at_s if self._rests and self._at_s is not None else 0.0

    @property
    def per_s(self) -> float | None:
        """Values a second over the last seconds of work; None while that can't be told."""
        if len(self._points) < 2:
            return None
        (began_s, before), (ended_s, by_now) = self._points[0], self._points[-1]
        return (by_now - before) / (ended_s - began_s) if ended_s > began_s else None

    def _pass_time(self, now_s: float) -> None:
        if self._at_s is not None and not (self._rests and now_s - self._at_s > SHORT_REST_S):
            self._worked_s += now_s - self._at_s
        self._at_s, self._rests = now_s, False
