"""The progress bar of the run being read; a new run gets a new bar."""

from __future__ import annotations

from contextlib import ExitStack

from shared.program.progress import Progress
from shared.signal import Signal


class RunProgress:
    """Counts the values read of one run at a time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._run_id = ""
        self._bar: Progress | None = None

    def begin(self, signal: Signal) -> None:
        """Start the bar of a signal's run, or continue it."""
        if signal.run_id != self._run_id:
            self.close()
            self._run_id = signal.run_id
            # too large only by what the last segment is shorter than the others
            self._bar = self._stack.enter_context(Progress("Reading", signal.count * signal.segments))

    def add(self, values: int) -> None:
        """Count values."""
        if self._bar is not None:
            self._bar.add(values)

    def close(self) -> None:
        """End the bar's line."""
        self._stack.close()
        self._run_id, self._bar = "", None
