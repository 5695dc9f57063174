"""What is not finished and goes its way, as sentences of `status`."""

from __future__ import annotations

from shared.status.facts import PENDING, GroupStatus, RunStatus
from shared.status.findings import LOST_CAUSES, Facts

SILENT_MS = 60_000  # a server-b that lives looks every few seconds, also while it reads
_NOBODY = "none has taken part in the group here, and one that follows a replica keeps its verdicts to itself"


def unfinished_things(facts: Facts) -> list[str]:
    """Return what is under way, a sentence each."""
    found = _newer_runs(facts)
    for run in facts.runs[:1]:
        if run.has_record and not run.is_finished:
            published = f"{run.published} of {run.segments} segments"
            found.append(f"run {run.run_id} has published {published} and is not finished; {_if_stopped(run.run_id)}")
        kinds = facts.findings.kinds if facts.findings is not None else {}
        is_told = run.reason or any(kinds.get(cause) for cause in (*LOST_CAUSES, "lost"))
        if run.verdict == PENDING and not is_told and (run.has_record or not is_all_read(facts.group)):
            found.append(verdicts_so_far(run))
    is_foreign = facts.foreign_entries or facts.has_foreign_groups
    is_read_elsewhere = facts.is_followed and not facts.group.is_there  # so no group is to read the signals
    return found if is_foreign or is_read_elsewhere else found + _unfinished_group(facts.group)


def _newer_runs(facts: Facts) -> list[str]:
    """Return which segments belong to a run newer than all with a signal or a record.

    The state of segment 1 was read before the runs: the record of its run, if it had one, would have been found. Any
    other newer state was read after the runs, so its run began meanwhile and has a record.
    """
    begun = facts.findings.newer.items() if facts.findings is not None else ()
    return [
        f"{name} is that of the newer run {run_id}; {_if_stopped(run_id)}"
        for run_id, name in begun
        if run_id not in {facts.first_run, *facts.unrecorded}
    ]


def _unfinished_group(group: GroupStatus) -> list[str]:
    found = []
    if group.has_undelivered:
        number = "an unknown number of" if group.lag is None else f"{group.lag}"
        nobody = "" if group.is_there else f"; {_NOBODY}"
        found.append(f"{number} signals not delivered to a server-b yet{nobody}")
    if group.pending:
        found.append(f"{group.pending} signals delivered and not acknowledged")
    idle_ms = min((consumer["idle_ms"] for consumer in group.consumers), default=0)
    if found and idle_ms > SILENT_MS:
        found[-1] += f"; no server-b has looked for them for {idle_ms // 1_000:,} s: start one"
    return found


def is_all_read(group: GroupStatus) -> bool:
    """Tell whether the group has been given every signal, and every one is acknowledged."""
    return group.is_there and not group.has_undelivered and not group.pending


def verdicts_so_far(run: RunStatus) -> str:
    """Return how many segments have a verdict."""
    return f"run {run.run_id} has verdicts on {run.verdicts} of {run.segments} segments"


def _if_stopped(run_id: str) -> str:
    return f"if it was stopped, go on with: {resume(run_id)}"


def resume(run_id: str) -> str:
    """Return the command that goes on with a run."""
    return f"server-a run --resume {run_id}"
