"""What a follower knows of runs, and the checkpoint that follows from it."""

from __future__ import annotations

import pytest

from server_b.follow import followed_runs
from server_b.follow.checkpoint import Checkpoint
from server_b.follow.followed_runs import FollowedRuns
from shared.signal import Signal
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

OLD, MIDDLE, NEW = (f"20261122T20580112{number}Z-3f9a1c" for number in range(3))
EARLIER, ATTEMPT, LATER = (f"20261122T20580112{number}Z-0a1b2c" for number in (3, 4, 5))
DIGEST = "97630108292763d6b16b693f7e36d0aa"


def take_up(runs: FollowedRuns, run_id: str, *verdicts: str, cursor: str, segments: int = 2) -> None:
    """Have a run in hand, with verdicts on its first segments."""
    run = runs.take_up(run_id, cursor=cursor)
    for number, verdict in enumerate(verdicts, start=1):
        run.verdicts[number] = SegmentVerdict(verdict, ATTEMPT, number, segments, 10, DIGEST)


def report(runs: FollowedRuns, run_id: str, *, cursor: str) -> Checkpoint:
    """Report a run, and return the checkpoint after that."""
    checkpoint = runs.checkpoint_without(run_id, cursor=cursor)
    runs.let_go(run_id, checkpoint)
    return checkpoint


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_a_verified_run_passes_older_ones_whatever_their_segments(segments: int) -> None:
    runs = FollowedRuns(Checkpoint())
    take_up(runs, MIDDLE, VERIFIED, cursor="1-0", segments=2)
    take_up(runs, NEW, *[VERIFIED] * segments, cursor="9-0", segments=segments)

    assert report(runs, NEW, cursor="10-0").after == "10-0"
    assert MIDDLE in runs

    take_up(runs, MIDDLE, VERIFIED, VERIFIED, cursor="10-0")
    assert report(runs, MIDDLE, cursor="11-0") == Checkpoint("11-0", {NEW: ATTEMPT, MIDDLE: ATTEMPT})


@pytest.mark.parametrize(
    ("reported", "verdicts"),
    [(OLD, (VERIFIED, VERIFIED)), (NEW, (VERIFIED, FAILED)), (NEW, (SUPERSEDED, VERIFIED))],
)
def test_the_checkpoint_waits_for_a_run_that_none_has_passed(reported: str, verdicts: tuple[str, ...]) -> None:
    runs = FollowedRuns(Checkpoint())
    take_up(runs, MIDDLE, VERIFIED, cursor="9-0")
    take_up(runs, reported, *verdicts, cursor="10-0")

    assert report(runs, reported, cursor="11-0").after == "9-0"


def test_the_checkpoint_does_not_wait_for_a_run_that_began_after_a_newer_one_was_verified() -> None:
    """Its segment 1 is gone, so it is superseded whatever comes."""
    runs = FollowedRuns(Checkpoint())
    take_up(runs, NEW, VERIFIED, VERIFIED, cursor="1-0")
    report(runs, NEW, cursor="2-0")

    take_up(runs, MIDDLE, VERIFIED, cursor="3-0")
    take_up(runs, OLD, VERIFIED, VERIFIED, cursor="4-0")

    assert report(runs, OLD, cursor="5-0").after == "5-0"


def test_passed_runs_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed_runs, "MAX_PASSED", 1)
    runs = FollowedRuns(Checkpoint())
    for run_id in (OLD, MIDDLE):
        take_up(runs, run_id, VERIFIED, cursor="1-0")
    take_up(runs, NEW, VERIFIED, VERIFIED, cursor="2-0")

    report(runs, NEW, cursor="3-0")

    assert (OLD in runs, MIDDLE in runs) == (False, True)


def test_nothing_changes_before_the_report_is_made() -> None:
    runs = FollowedRuns(Checkpoint())
    take_up(runs, OLD, VERIFIED, cursor="1-0")
    take_up(runs, NEW, VERIFIED, VERIFIED, cursor="2-0")

    assert runs.checkpoint_without(NEW, cursor="3-0") == runs.checkpoint_without(NEW, cursor="3-0")
    assert NEW in runs
    assert not runs.was_reported(NEW)


def test_a_later_attempt_of_a_reported_run_counts() -> None:
    runs = FollowedRuns(Checkpoint("1-0", {OLD: ATTEMPT}))
    signals = [Signal(OLD, attempt, 1, 1, 10, DIGEST) for attempt in (EARLIER, ATTEMPT, LATER)]
    assert [signal.attempt for signal in signals if runs.is_reported(signal)] == [EARLIER, ATTEMPT]
    assert not runs.is_reported(Signal(NEW, ATTEMPT, 1, 1, 10, DIGEST))


def test_a_run_is_known_by_the_newest_attempt_of_its_segments() -> None:
    runs = FollowedRuns(Checkpoint())
    verdicts = {
        number: SegmentVerdict(VERIFIED, attempt, number, 2, 10, DIGEST)
        for number, attempt in enumerate((LATER, EARLIER), start=1)
    }
    runs.note_report(OLD, verdicts)
    runs.take_up(NEW, cursor="1-0").verdicts.update(verdicts)
    assert report(runs, NEW, cursor="2-0") == Checkpoint("2-0", {OLD: LATER, NEW: LATER})
