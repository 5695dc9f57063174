"""The progress bar of the run being read; a new run gets a new bar."""

from __future__ import annotations

from contextlib import ExitStack

from shared.program.progress import Progress
from shared.signal import Signal


class RunProgress:
    """Counts the values read of one run at a time."""

    def __init__(self) -> None:
        """Start without a run."""
        self._stack = ExitStack()
        self._run_id = ""
        self._progress: Progress | None = None

    def begin(self, signal: Signal) -> None:
        """Go on with the run of a signal, or start its bar; the total is exact but for a shorter last segment."""
        if signal.run_id != self._run_id:
            self.close()
            self._run_id = signal.run_id
            self._progress = self._stack.enter_context(Progress("Reading", signal.count * signal.segments))

    def add(self, values: int) -> None:
        """Count values."""
        if self._progress is not None:
            self._progress.add(values)

    def close(self) -> None:
        """End the bar's line."""
        self._stack.close()
        self._progress = None
        self._run_id = ""
