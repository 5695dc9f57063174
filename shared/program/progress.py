"""A line on stderr that tells how far a command is: only on a terminal, and only after the first second.

click's progress bar was rejected: it takes 80 columns and more whatever the terminal has, and a line that is too long
for its row can't be drawn again in place. Its rate is an average since the start.
"""

from __future__ import annotations

import time
from typing import Self

from shared.program.pace import Pace
from shared.program.progress_text import Shown, progress_text
from shared.program.screen import screen

SHOW_AFTER_S = 1.0
UPDATE_EVERY_S = 0.1
IDLE_AFTER_S = 1.0


class Progress:
    """Counts values, or what `unit` names, and draws how far they are where somebody may see it.

    Without a total, as where DBSIZE would cost one more permission, it tells how many and how fast.

    Attributes:
        segments: What is known of segments, in many words, in few, and in hardly any; None where that is nothing.
    """

    def __init__(self, label: str, total: int | None, *, unit: str = "values") -> None:
        self._label, self._unit, self._total = label, unit, total
        self._done = 0
        self._pace = Pace()
        self._started_s = self._updated_s = time.monotonic()
        self._is_shown = screen.draws
        self._is_drawn = False
        self.segments: tuple[str, str, str] | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether somebody sees it."""
        return self._is_drawn

    def add(self, values: int) -> None:
        """Count values that were just done, and draw; negative when an attempt is to be repeated.

        With 0 it draws what the time alone has changed.
        """
        if values < 0:
            self.count(values)
            return
        self._done += values
        if self._is_shown:
            now_s = time.monotonic()
            self._pace.add(values, now_s)
            self._draw(now_s)

    def count(self, values: int) -> None:
        """Count values that nobody has worked on here and now, such as those that a resumed run keeps."""
        self._done += values
        self._pace.shift(values)

    def work(self) -> None:
        """Let the time from now on count for the rate."""
        self._pace.work(time.monotonic())

    def rest(self) -> None:
        """Let no time count until there is something to do again, and say so once that has lasted a second."""
        now_s = time.monotonic()
        if not self._pace.rested_s(now_s):
            self._pace.rest(now_s)
        if self._is_shown:
            self._draw(now_s)

    def _draw(self, now_s: float, *, is_last: bool = False) -> None:
        is_due = now_s - self._started_s >= SHOW_AFTER_S and now_s - self._updated_s >= UPDATE_EVERY_S
        if not (is_due or is_last):
            return
        self._updated_s, self._is_drawn = now_s, True
        is_idle = self._pace.rested_s(now_s) >= IDLE_AFTER_S
        shown = Shown(self._label, self._unit, self._done, self._total, self._pace.per_s, is_idle, self.segments)
        screen.draw(progress_text(shown, screen.columns))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the line as it is in the end, and go on below it."""
        if self._is_drawn:
            self._draw(time.monotonic(), is_last=True)
            screen.keep()
            self._is_drawn = False
