"""Decides what is wrong and what is not finished. Pure: facts in, sentences out.

Only the newest run is judged: an older one was replaced, whatever became of it. A record and its results are kept for
the retention, lists and states for ever: a run without a record is judged by these alone. That its missing results mean
trouble was rejected, since then nothing would be right any more a week after the last run.

Where no server-b has taken part in the group, one may have followed a replica and verified everything, or none may
have come yet: nothing here tells them apart. Both count as not finished, which is the safer mistake.
"""

from __future__ import annotations

from shared.status.facts import PENDING, Facts, GroupStatus, RunStatus, SegmentSight
from shared.verdict import FAILED

_WRITE_ANOTHER = "it can't be resumed without its record, so write another with: server-a run"
_NOBODY = "none has taken part in the group here, and one that follows a replica keeps its verdicts to itself"


def wrong_things(facts: Facts) -> list[str]:
    """Return what is wrong with data or entries, a sentence each; empty when nothing is."""
    run = facts.runs[0] if facts.runs else None
    found = _wrong_segments(facts, run) if run is not None else []
    if run is not None and run.verdict == FAILED:
        found.append(f"run {run.run_id} failed: {run.reason}")
    if facts.dead_letters:
        found.append(f"{facts.dead_letters} dead letters; see server-b dead list")
    return found


def unfinished_things(facts: Facts) -> list[str]:
    """Return what somebody has yet to do, a sentence each; empty when nothing is."""
    found = _newer_runs(facts)
    if facts.runs:
        run = facts.runs[0]
        found += _unfinished_run(run) if run.has_record else _unfinished_lists(facts, run)
        found += _unfinished_verdicts(run)
    return found + _unfinished_group(facts.group)


def _newer_runs(facts: Facts) -> list[str]:
    """Return which segments are of a run newer than all that are known: one that could not signal them.

    A run that was found by a state before runs were looked at has no record any more, else it would be known; one that
    is found afterwards has begun meanwhile, and has one.
    """
    newest = facts.runs[0].run_id if facts.runs else ""
    lost = {run_id: name for name, run_id in facts.first_runs.items() if run_id > newest}
    states = {segment.name: segment.state for segment in reversed(facts.segments) if segment.state is not None}
    begun = {state.run_id: name for name, state in states.items() if state.run_id > newest and state.run_id not in lost}
    found = [
        f"{name} is that of run {run_id}, of which neither a record nor a signal is here; {_WRITE_ANOTHER}"
        for run_id, name in lost.items()
    ]
    return found + [f"{name} is that of the newer run {run_id}; {_resume(run_id)}" for run_id, name in begun.items()]


def _wrong_segments(facts: Facts, run: RunStatus) -> list[str]:
    found = []
    for segment in facts.segments:
        if _is_missing(segment, run):
            if run.has_record:
                found.append(f"{segment.name} is not that of run {run.run_id}")
        elif segment.state is not None and segment.length != segment.state.count:
            found.append(f"{segment.name} has {segment.length:,} values where its state says {segment.state.count:,}")
    return found


def _is_missing(segment: SegmentSight, run: RunStatus) -> bool:
    return segment.state is None or segment.state.run_id < run.run_id


def _unfinished_run(run: RunStatus) -> list[str]:
    if run.is_finished:
        return []
    published = f"{run.published} of {run.segments} segments"
    return [f"run {run.run_id} has published {published} and is not finished; {_resume(run.run_id)}"]


def _unfinished_lists(facts: Facts, run: RunStatus) -> list[str]:
    """Return what is missing of a run without a record; whether it was ever written can't be told any more."""
    missing = sum(_is_missing(segment, run) for segment in facts.segments)
    if not missing:
        return []
    return [f"{missing} of {run.segments} segments are not those of run {run.run_id}; {_WRITE_ANOTHER}"]


def _unfinished_verdicts(run: RunStatus) -> list[str]:
    if run.verdict != PENDING:
        return []
    why = f": {run.reason}" if run.reason else ""
    return [f"run {run.run_id} has verdicts on {run.verdicts} of {run.segments} segments{why}"]


def _unfinished_group(group: GroupStatus) -> list[str]:
    found = []
    if group.has_undelivered:
        number = "an unknown number of" if group.lag is None else f"{group.lag}"
        nobody = "" if group.is_there else f"; {_NOBODY}"
        found.append(f"{number} signals not delivered to a server-b yet{nobody}")
    if group.pending:
        found.append(f"{group.pending} signals delivered and not acknowledged")
    return found


def _resume(run_id: str) -> str:
    return f"if it was stopped, go on with: server-a run --resume {run_id}"
