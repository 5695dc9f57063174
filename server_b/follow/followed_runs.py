"""What a follower knows of runs: those whose signals have begun to come, and those that were reported.

A group keeps verdicts on the server; a replica takes none, so they are here until the run is complete.

An abandoned run never is, and must not hold the checkpoint for ever. So that waits for no run that was begun before
a newer one was verified: it is *passed*. With as many segments, the newer run has replaced each of its lists. With
another number, the newer producer removes its lists at its end, so its own producer ends superseded; and one that is
resumed signals every segment anew. One case is left: the newer producer dies between its last signal and that removal,
and the older one still runs. So a passed run is kept, and reported if it gets complete all the same; only a restart of
the follower in between misses that. Failed and superseded runs pass none: they may have replaced nothing. Reading the
states of the missing segments instead was rejected: with another number of segments there are none to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server_b.follow.checkpoint import Checkpoint
from server_b.follow.signal_stream import order_of
from shared.signal import Signal
from shared.verdict import VERIFIED, SegmentVerdict, run_verdict

MAX_PASSED = 100


@dataclass
class FollowedRun:
    """A run that is not complete yet.

    Attributes:
        before: Id of the entry before its first signal.
        verdicts: By segment.
        earlier: Signals from before it was taken up once more, whose segments are still to be examined.
        is_passed: Whether a newer run was verified since, so that no checkpoint waits for this one.
    """

    before: str
    verdicts: dict[int, SegmentVerdict] = field(default_factory=dict)
    earlier: list[Signal] = field(default_factory=list)
    is_passed: bool = False


class FollowedRuns:
    """Runs by id, and the checkpoint that follows from them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Know what a checkpoint says."""
        self._checkpoint = checkpoint
        self._in_hand: dict[str, FollowedRun] = {}

    def __contains__(self, run_id: str) -> bool:
        """Whether a run is in hand."""
        return run_id in self._in_hand

    def was_reported(self, run_id: str) -> bool:
        """Return whether a run was reported, under whatever attempts."""
        return run_id in self._checkpoint.reported

    def is_reported(self, signal: Signal) -> bool:
        """Return whether a signal's run was reported when it had this attempt, or a later one, already."""
        newest = self._checkpoint.reported.get(signal.run_id)
        return newest is not None and (not newest or signal.attempt <= newest)

    def note_report(self, run_id: str, verdicts: Mapping[int, SegmentVerdict]) -> None:
        """Note that a run was reported by somebody else."""
        self._checkpoint = self._checkpoint.after_report(
            run_id, _newest_attempt(verdicts), after=self._checkpoint.after
        )

    def take_up(self, run_id: str, *, cursor: str) -> FollowedRun:
        """Return what is in hand of a run; nothing yet when this is its first signal, or the first since a report."""
        return self._in_hand.setdefault(run_id, FollowedRun(before=cursor))

    def checkpoint_without(self, run_id: str, *, cursor: str) -> Checkpoint:
        """Return the checkpoint that counts once a run in hand is reported."""
        passed = self._passed_by(run_id)
        befores = [
            run.before for other, run in self._in_hand.items() if other not in {run_id, *passed} and not run.is_passed
        ]
        newest = _newest_attempt(self._in_hand[run_id].verdicts)
        return self._checkpoint.after_report(run_id, newest, after=min([*befores, cursor], key=order_of))

    def let_go(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Note that a run was reported, as the checkpoint that counts from now on has it."""
        for other in self._passed_by(run_id):
            self._in_hand[other].is_passed = True
        self._checkpoint = checkpoint
        del self._in_hand[run_id]
        passed = sorted(other for other, run in self._in_hand.items() if run.is_passed)
        for other in passed[:-MAX_PASSED]:
            del self._in_hand[other]

    def _passed_by(self, run_id: str) -> list[str]:
        if run_verdict(self._in_hand[run_id].verdicts) != VERIFIED:
            return []
        return [other for other in self._in_hand if other < run_id]

    def forget_those_in_hand(self) -> None:
        """Forget the runs that were begun: the stream is read anew."""
        self._in_hand.clear()


def _newest_attempt(verdicts: Mapping[int, SegmentVerdict]) -> str:
    return max(verdict.attempt for verdict in verdicts.values())
