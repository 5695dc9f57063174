"""Decides what is wrong and what is not finished. Pure: facts in, sentences out.

Only the newest run is judged: an older one was replaced, whatever became of it.
"""

from __future__ import annotations

from shared.status_facts import Facts, GroupStatus, RunStatus
from shared.verdict import FAILED


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
    return [*(_unfinished_run(facts.runs[0]) if facts.runs else []), *_unfinished_group(facts.group)]


def _wrong_segments(facts: Facts, run: RunStatus) -> list[str]:
    found = []
    for segment in facts.segments:
        if segment.state is None or segment.state.run_id < run.run_id:
            found.append(f"{segment.name} is not that of run {run.run_id}")
        elif segment.length != segment.state.count:
            found.append(f"{segment.name} has {segment.length:,} values where its state says {segment.state.count:,}")
    return found


def _unfinished_run(run: RunStatus) -> list[str]:
    found = []
    if not run.is_finished:
        found.append(
            f"run {run.run_id} has published {run.published} of {run.segments} segments and is not finished; if it was "
            f"stopped, go on with: server-a run --resume {run.run_id}"
        )
    if run.verdict == "pending":
        why = f": {run.reason}" if run.reason else ""
        found.append(f"run {run.run_id} has verdicts on {run.verdicts} of {run.segments} segments{why}")
    return found


def _unfinished_group(group: GroupStatus) -> list[str]:
    found = []
    if group.has_undelivered:
        number = "an unknown number of" if group.lag is None else f"{group.lag}"
        found.append(f"{number} signals not delivered to a server-b yet")
    if group.pending:
        found.append(f"{group.pending} signals delivered and not acknowledged")
    return found
