"""What a follower knows of runs: those whose signals have begun to come, and those that were reported.

A group keeps verdicts on the server; a replica takes none, so they are here until the run is complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from server_b.checkpoint import Checkpoint
from server_b.signal_stream import order_of
from shared.verdict import SegmentVerdict


@dataclass
class FollowedRun:
    """A run that is not complete yet.

    Attributes:
        before: Id of the entry before its first signal.
        verdicts: By segment.
    """

    before: str
    verdicts: dict[int, SegmentVerdict] = field(default_factory=dict)


class FollowedRuns:
    """Runs by id, and the checkpoint that follows from them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Know what a checkpoint says."""
        self._checkpoint = checkpoint
        self._in_hand: dict[str, FollowedRun] = {}

    def __contains__(self, run_id: str) -> bool:
        """Whether a run is in hand."""
        return run_id in self._in_hand

    def is_reported(self, run_id: str) -> bool:
        """Return whether a run was reported."""
        return run_id in self._checkpoint.reported

    def take_up(self, run_id: str, *, cursor: str) -> FollowedRun:
        """Return what is in hand of a run; nothing yet when this is its first signal."""
        return self._in_hand.setdefault(run_id, FollowedRun(before=cursor))

    def checkpoint_without(self, run_id: str, *, cursor: str) -> Checkpoint:
        """Return the checkpoint that counts once a run is reported."""
        befores = [run.before for other, run in self._in_hand.items() if other != run_id]
        return Checkpoint(min([*befores, cursor], key=order_of), [*self._checkpoint.reported, run_id])

    def let_go(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Note that a run was reported, as the checkpoint that counts from now on has it."""
        self._checkpoint = checkpoint
        del self._in_hand[run_id]

    def forget_those_in_hand(self) -> None:
        """Forget the runs that were begun: the stream is read anew."""
        self._in_hand.clear()
