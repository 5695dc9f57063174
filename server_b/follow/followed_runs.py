"""What a follower knows of runs: those in hand, whose signals have begun to come, and those reported.

A replica takes no writes, so the verdicts of a run are kept here until the run is complete.

An abandoned run never is, and must not hold the checkpoint for ever. The checkpoint therefore waits for no run older
than one that was verified: the newer run has replaced segment 1 of every older one, so an older run can no longer be
verified. If it gets complete all the same, it is still reported, unless the follower was restarted in between. A failed
or superseded run proves nothing about older ones: it may have replaced no segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server_b.follow.checkpoint import Checkpoint
from shared.entry_ids import order_of
from shared.signal import Signal
from shared.verdict import VERIFIED, SegmentVerdict, run_verdict

MAX_PASSED = 100


@dataclass
class FollowedRun:
    """The verdicts of a run that is not complete yet, by segment, and the id of the entry before its first signal."""

    before: str
    verdicts: dict[int, SegmentVerdict] = field(default_factory=dict)


class FollowedRuns:
    """Runs by id, and the checkpoint that follows from them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._in_hand: dict[str, FollowedRun] = {}
        self._newest_verified = ""

    def __contains__(self, run_id: str) -> bool:
        """Whether a run is in hand."""
        return run_id in self._in_hand

    def was_reported(self, run_id: str) -> bool:
        """Return whether a run was reported, under whatever attempts."""
        return run_id in self._checkpoint.reported

    def is_reported(self, signal: Signal) -> bool:
        """Return whether a signal's run was reported when it had this attempt, or a later one, already."""
        return signal.attempt <= self._checkpoint.reported.get(signal.run_id, "")

    def note_report(self, run_id: str, verdicts: Mapping[int, SegmentVerdict]) -> None:
        """Note that a run was reported by somebody else."""
        newest = _newest_attempt(verdicts)
        self._checkpoint = self._checkpoint.after_report(run_id, newest, after=self._checkpoint.after)

    def take_up(self, run_id: str, *, cursor: str) -> FollowedRun:
        """Return a run's verdicts so far: none at its first signal, or at the first one since it was reported."""
        return self._in_hand.setdefault(run_id, FollowedRun(before=cursor))

    def checkpoint_without(self, run_id: str, *, cursor: str) -> Checkpoint:
        """Return the checkpoint that counts once a run in hand is reported."""
        verified = self._newest_verified_with(run_id)
        befores = [run.before for other, run in self._in_hand.items() if other != run_id and other > verified]
        newest = _newest_attempt(self._in_hand[run_id].verdicts)
        return self._checkpoint.after_report(run_id, newest, after=min([*befores, cursor], key=order_of))

    def let_go(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Note that a run was reported, with the checkpoint that counts from now on."""
        self._newest_verified = self._newest_verified_with(run_id)
        self._checkpoint = checkpoint
        del self._in_hand[run_id]
        passed = sorted(other for other in self._in_hand if other < self._newest_verified)
        for other in passed[:-MAX_PASSED]:
            del self._in_hand[other]

    def forget_those_in_hand(self) -> None:
        """Start again with nothing in hand: the stream is read from its beginning."""
        self._in_hand.clear()
        self._newest_verified = ""

    def _newest_verified_with(self, run_id: str) -> str:
        is_verified = run_verdict(self._in_hand[run_id].verdicts) == VERIFIED
        return max(self._newest_verified, run_id) if is_verified else self._newest_verified


def _newest_attempt(verdicts: Mapping[int, SegmentVerdict]) -> str:
    return max(verdict.attempt for verdict in verdicts.values())
