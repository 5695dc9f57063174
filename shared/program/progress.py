"""A progress bar on stderr, with rate and time left; only on a terminal, and only after the first second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_SHOW_AFTER_S = 1.0
_UPDATE_EVERY_S = 0.1
_OF_UNKNOWN_LENGTH: Iterator[int] = map(int, ())  # click takes no length only with something whose length it can't tell


class Progress:
    """Counts values, or what `unit` names, and draws click's progress bar where somebody may see it.

    Without a total, as where DBSIZE would cost one more permission, it tells how many and how fast.
    """

    def __init__(self, label: str, total: int | None, *, unit: str = "values") -> None:
        self._label = label
        self._unit = unit
        self._total = total
        self._done = 0
        self._drawn = 0
        self._started = self._updated = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._stack = ExitStack()
        self._bar: ProgressBar[int] | None = None

    def add(self, values: int) -> None:
        """Count values, and draw at most ten times a second; negative when an attempt is to be repeated."""
        self._done += values
        if not self._is_terminal:
            return
        now = time.monotonic()
        if now - self._started < _SHOW_AFTER_S or now - self._updated < _UPDATE_EVERY_S:
            return
        self._updated = now
        if self._bar is None:
            self._bar = self._stack.enter_context(self._new_bar(elapsed_s=now - self._started))
        self._draw(self._bar, now)

    def _draw(self, bar: ProgressBar[int], now: float) -> None:
        bar.update(self._done - self._drawn, int(self._done / (now - self._started)))
        self._drawn = self._done

    def _new_bar(self, *, elapsed_s: float) -> ProgressBar[int]:
        bar: ProgressBar[int] = click.progressbar(
            iterable=_OF_UNKNOWN_LENGTH if self._total is None else None,
            length=self._total,
            label=self._label,
            file=sys.stderr,
            show_pos=True,
            item_show_func=lambda rate: f"{rate:,} {self._unit}/s" if rate is not None else None,
        )
        bar.start = bar.last_eta = time.time() - elapsed_s  # else the bar computes the time left from its own start
        return bar

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None and self._drawn != self._done:
            self._draw(self._bar, time.monotonic())
        self._stack.close()
