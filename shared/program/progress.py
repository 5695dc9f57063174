"""A progress bar on stderr, with rate and time left; only on a terminal, and only once a run has lasted a second."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import click

_SHOW_AFTER_S = 1.0
_UPDATE_EVERY_S = 0.1


class Progress:
    """Counts values; draws click's bar when somebody may see it."""

    def __init__(self, label: str, total: int) -> None:
        """Start at 0 of `total` values."""
        self._label = label
        self._total = total
        self._done = 0
        self._drawn = 0
        self._started = self._updated = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._stack = ExitStack()
        self._bar: click._termui_impl.ProgressBar[int] | None = None

    def add(self, values: int) -> None:
        """Count values; draws at most ten times a second. Negative when an attempt's values are to be done again."""
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

    def _draw(self, bar: click._termui_impl.ProgressBar[int], now: float) -> None:
        bar.update(self._done - self._drawn, int(self._done / (now - self._started)))
        self._drawn = self._done

    def _new_bar(self, *, elapsed_s: float) -> click._termui_impl.ProgressBar[int]:
        bar: click._termui_impl.ProgressBar[int] = click.progressbar(
            length=self._total,
            label=self._label,
            file=sys.stderr,
            show_pos=True,
            item_show_func=lambda rate: f"{rate:,} values/s" if rate is not None else None,
        )
        bar.start = bar.last_eta = time.time() - elapsed_s  # else the time left is reckoned from the bar's appearance
        return bar

    def __enter__(self) -> Self:
        """Return the progress itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw how far it came, and end the bar's line."""
        if self._bar is not None and self._drawn != self._done:
            self._draw(self._bar, time.monotonic())
        self._stack.close()
