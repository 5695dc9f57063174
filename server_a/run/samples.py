"""How many values were written by when: at most 600 points, however long a run lasts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

MAX_SAMPLES = 600
FIRST_STEP_MS = 20


class Samples:
    """Moments and the values written by then.

    Attributes:
        kept: Milliseconds and values, oldest first; the last one is always the newest.
    """

    def __init__(self, kept: Iterable[tuple[int, int]] = ()) -> None:
        """Start without a value, behind the samples of the same run before it was stopped."""
        self.kept = list(kept)
        self._values = 0
        self._step_ms = FIRST_STEP_MS

    def add(self, values: int, *, now_ms: int) -> None:
        """Count values that were written by now; negative when they are to be written again."""
        self._values += values
        if self.kept:
            now_ms = max(now_ms, self.kept[-1][0])  # after a failover the clock is another server's
        if len(self.kept) > 1 and now_ms - self.kept[-2][0] < self._step_ms:
            self.kept[-1] = (now_ms, self._values)
            return
        self.kept.append((now_ms, self._values))
        if len(self.kept) > MAX_SAMPLES:  # every second one goes, and from now on they lie twice as far apart
            self.kept = self.kept[::2] if len(self.kept) % 2 else [*self.kept[::2], self.kept[-1]]
            self._step_ms *= 2
