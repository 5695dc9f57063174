"""What this process has read: the progress bar of the run in hand, and how long replies took, by run."""

from __future__ import annotations

from contextlib import ExitStack

from shared.endpoint.reply_times import ReplyTimes
from shared.program.progress import Progress
from shared.signal import Signal

MAX_TIMED_RUNS = 100


class RunProgress:
    """Counts the values read of one run at a time; a new run gets a new bar."""

    def __init__(self) -> None:
        self._times: dict[str, ReplyTimes] = {}
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

    def add_times(self, run_id: str, times: ReplyTimes) -> None:
        """Count the reply times of a segment; those of the newest 100 runs are kept."""
        self._times.setdefault(run_id, ReplyTimes()).merge(times)
        if len(self._times) > MAX_TIMED_RUNS:
            del self._times[next(iter(self._times))]

    def times_of(self, run_id: str) -> ReplyTimes:
        """Return how long the replies took that brought a run's values; empty when none came to this process."""
        return self._times.get(run_id, ReplyTimes())

    def close(self) -> None:
        """End the bar's line."""
        self._stack.close()
        self._run_id, self._bar = "", None
