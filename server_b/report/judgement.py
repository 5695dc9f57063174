"""What the verdicts of a run count for, held against each other, the record, and what lies there now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from shared.record import RunRecord
from shared.state import SegmentState
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict, is_complete

States = Mapping[int, SegmentState | None]


@dataclass(frozen=True)
class StandingRun:
    """A run's verdicts as they count now.

    Attributes:
        verdicts: By segment; where they contradict each other or the record, failed.
        waits_for: Segments that aren't there as their verdicts say, so that their next signals are waited for.
        recorded: How many fields the result has; only of a run that is not decided, of which not all may be read.
    """

    verdicts: dict[int, SegmentVerdict]
    record: RunRecord | None = None
    waits_for: tuple[int, ...] = ()
    recorded: int = 0

    @property
    def is_decided(self) -> bool:
        """Whether every segment has its verdict."""
        return has_all(self.verdicts)


def judged(
    run_id: str,
    verdicts: Mapping[int, SegmentVerdict],
    record: RunRecord | None,
    states: States,
    cut: Collection[int] = (),
) -> StandingRun:
    """Return a run whose segments all have their verdicts, held against its record and the states.

    Args:
        run_id: Of the run.
        verdicts: By segment.
        record: None where it is not there.
        states: Of each segment and of the one behind the last; None where there is none, or it is not ours.
        cut: Segments whose lists are not as long as their states say: a server that evicts keys takes one alone.
    """
    most = max(verdict.segments for verdict in verdicts.values())
    counted = {number: _agreeing(verdict, most, record) for number, verdict in verdicts.items()}
    beyond = states.get(len(verdicts) + 1)
    if beyond is not None and beyond.run_id == run_id and beyond.count:
        last, text = len(verdicts), f"its signal says {len(verdicts)} segments, but the run has published another one"
        counted[last] = replace(counted[last], verdict=FAILED, reason=text)
    changed = [
        number for number, verdict in sorted(verdicts.items())
        if _is_outdated(run_id, verdict, states[number], is_cut=number in cut)
    ]  # fmt: skip
    newest = states[1]
    if changed and newest is not None and newest.run_id > run_id:
        # no signal of this run comes any more: a newer one has begun to replace it
        for number in changed:
            if counted[number].verdict == VERIFIED:
                counted[number] = replace(counted[number], verdict=SUPERSEDED, reason=f"by run {newest.run_id}")
        changed = []
    return StandingRun(counted, record, tuple(changed))


def has_all(verdicts: Mapping[int, SegmentVerdict]) -> bool:
    """Tell whether every segment has its verdict, also where the verdicts disagree on how many segments there are."""
    return is_complete(verdicts) or (
        bool(verdicts) and len(verdicts) == max(verdict.segments for verdict in verdicts.values()) == max(verdicts)
    )


def _agreeing(verdict: SegmentVerdict, most: int, record: RunRecord | None) -> SegmentVerdict:
    """Return a verdict, failed where its signal contradicts the record or, without one, the other signals.

    `most` is how many segments one of these says at most.
    """
    text = record.contradicts(verdict.segment, segments=verdict.segments, count=verdict.count) if record else ""
    if record is None and verdict.segments != most:
        text = f"its signal says {verdict.segments:,} segments, and another one {most:,}"
    return replace(verdict, verdict=FAILED, reason=text) if text and verdict.verdict == VERIFIED else verdict


def _is_outdated(run_id: str, verdict: SegmentVerdict, state: SegmentState | None, *, is_cut: bool) -> bool:
    """Tell whether a segment is not there as its verdict says, so that another signal of this run will follow."""
    if verdict.verdict == SUPERSEDED or (state is not None and state.run_id > run_id):
        return False  # a newer run has replaced it, so no other signal follows
    was_read = verdict.started_us > 0
    if state is None or state.run_id < run_id:
        return was_read or verdict.verdict == VERIFIED  # what never arrived can't be there
    if state.attempt < verdict.attempt and not was_read:
        return verdict.verdict == VERIFIED
    if is_cut and verdict.verdict == VERIFIED:  # a failed one may say just that
        return True
    return (state.attempt, state.digest, state.count) != (verdict.attempt, verdict.digest, verdict.count)
