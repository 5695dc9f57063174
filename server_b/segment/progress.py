"""What this process has read: the progress of the run in hand, and how long replies took, by run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from shared.endpoint.reply_times import ReplyTimes
from shared.program.progress import Progress
from shared.record import RunRecord
from shared.signal import Signal
from shared.verdict import VERIFIED, SegmentVerdict

MAX_TIMED_RUNS = 100
LOOK_EVERY_S = 1.0


@dataclass
class _Run:
    """The run in hand. What can be added up is, since a sum over 100,000 segments after each took minutes in all."""

    run_id: str
    segments: int
    count: int
    segment_values: int
    line: Progress
    ours: dict[int, tuple[bool, int]] = field(default_factory=dict)  # segment → whether it is verified, and its values
    verified: int = 0  # segments of ours
    values: int = 0  # in segments of ours
    others: int = 0  # segments that others gave a verdict
    values_of_others: int = 0
    look_at_s: float = 0.0

    def note(self, segment: int, *, is_verified: bool, values: int) -> int:
        """Note a segment of ours, and return the values that it was noted with before, as a later attempt is."""
        was_verified, noted = self.ours.get(segment, (False, 0))
        self.ours[segment] = is_verified, values
        self.verified += is_verified - was_verified
        self.values += values - noted
        return noted

    def tell(self) -> None:
        """Say how many segments are verified; of those that others read only that they have a verdict is known."""
        verified, failed, of = self.verified, len(self.ours) - self.verified, f"of {self.segments:,}"
        more = [f"{failed:,} not"] if failed else []
        more += [f"{self.others:,} by others"] if self.others else []
        noun = "segment" if self.segments == 1 else "segments"
        wordy = ", ".join([f"{verified:,} {of} {noun} verified", *more])
        short = ", ".join([f"{verified:,} {of} verified", *more])
        self.line.segments = wordy, short, f"{len(self.ours) + self.others}/{self.segments} read"


class RunProgress:
    """Counts the values read of one run at a time, and what other consumers read of it; a new run gets a new line."""

    def __init__(self) -> None:
        self._times: dict[str, ReplyTimes] = {}
        self._run: _Run | None = None

    def begin(self, signal: Signal, record: RunRecord | None) -> None:
        """Start the line of a signal's run, or continue it."""
        if self._run is None or signal.run_id != self._run.run_id:
            self.close()
            # without a record too large only by what the last segment is shorter than the others
            count = record.count if record is not None else signal.count * signal.segments
            segment_values = record.segment_values if record is not None else signal.count
            line = Progress("Reading", count)
            self._run = _Run(signal.run_id, signal.segments, count, segment_values, line)
            self._run.tell()
        self._run.line.work()

    def add(self, values: int) -> None:
        """Count values; negative when they are to be read again."""
        if self._run is not None:
            self._run.line.add(values)

    def rest(self) -> None:
        """Nothing is there to be read."""
        if self._run is not None:
            self._run.line.rest()

    def examined(self, signal: Signal, verdict: SegmentVerdict, *, of_all: int = 0) -> None:
        """Count a segment that got a verdict of ours; see `examined_by_all` for how many have one now."""
        run = self._run
        if run is not None and run.run_id == signal.run_id:
            run.line.count(-run.note(signal.segment, is_verified=verdict.verdict == VERIFIED, values=signal.count))
            self.examined_by_all(run.run_id, of_all)

    def examined_by_all(self, run_id: str, segments: int) -> None:
        """Note how many segments of a run have their verdict, whoever read them."""
        run = self._run
        if run is None or run.run_id != run_id:
            return
        others = max(0, min(segments, run.segments) - len(run.ours))
        left = run.count - run.values
        # which of them others read is not asked; it matters only for the last one, which may be shorter
        values = left if len(run.ours) + others >= run.segments else min(left, others * run.segment_values)
        run.line.count(values - run.values_of_others)
        run.others, run.values_of_others = others, values
        run.tell()

    def run_to_look_at(self) -> str:
        """Return the run of which somebody sees how far it is, and others may have read more by now; or nothing.

        Once a second at most.
        """
        run, now_s = self._run, time.monotonic()
        if run is None or not run.line.is_drawn or len(run.ours) + run.others >= run.segments or now_s < run.look_at_s:
            return ""
        run.look_at_s = now_s + LOOK_EVERY_S
        return run.run_id

    def add_times(self, run_id: str, times: ReplyTimes) -> None:
        """Count the reply times of a segment; those of the newest 100 runs are kept."""
        self._times.setdefault(run_id, ReplyTimes()).merge(times)
        if len(self._times) > MAX_TIMED_RUNS:
            del self._times[next(iter(self._times))]

    def times_of(self, run_id: str) -> ReplyTimes:
        """Return how long the replies took that brought a run's values; empty when none came to this process."""
        return self._times.get(run_id, ReplyTimes())

    def close(self) -> None:
        """End the line."""
        if self._run is not None:
            self._run.line.close()
            self._run = None
