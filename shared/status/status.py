"""The state of a hand-over as both `status` commands show it: what was read (`shared.status.reading`), and judged here.

Only the newest run is judged, because it replaces the older ones. Its record and results expire with the retention,
lists and states don't: a run without a record is judged by lists and states alone, and missing results are no problem.

Where no server-b has taken part in the group, either one followed a replica and keeps its verdicts to itself, or none
has come yet. Nothing here tells these cases apart, so both count as not finished.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.status.facts import PENDING, Facts, GroupStatus, RunStatus, SegmentFacts
from shared.status.reading import read_facts
from shared.verdict import FAILED

_WRITE_ANOTHER = "it can't be resumed without its record, so write another with: server-a run"
_NOBODY = "none has taken part in the group here, and one that follows a replica keeps its verdicts to itself"


@dataclass(frozen=True)
class Status:
    """Everything that is shown."""

    endpoint: str
    namespace: str
    runs: list[RunStatus]  # newest first, at most 10
    group: GroupStatus
    dead_letters: int
    problems: list[str]  # what is wrong or not finished, as sentences
    exit_code: int  # 0 without problems, 65 when data or entries are wrong, 75 when something is not finished

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {"troubles" if name == "problems" else name: value for name, value in asdict(self).items()}


def read_status(endpoint: Endpoint, keys: Keyspace, *, is_scanned: bool = False) -> Status:
    """Read the facts and judge them; arguments and costs are those of `read_facts`."""
    facts = read_facts(endpoint, keys, is_scanned=is_scanned)
    wrong, unfinished = wrong_things(facts), unfinished_things(facts)
    return Status(
        endpoint=endpoint.name,
        namespace=keys.namespace,
        runs=facts.runs,
        group=facts.group,
        dead_letters=facts.dead_letters,
        problems=wrong + unfinished,
        exit_code=VerificationFailedError.exit_code if wrong else NotFinishedError.exit_code if unfinished else 0,
    )


def wrong_things(facts: Facts) -> list[str]:
    """Return what is wrong with data or entries, a sentence each."""
    found = []
    for run in facts.runs[:1]:
        for segment in facts.segments:
            state = segment.state
            if state is None or _is_older(segment, run):
                if run.has_record:
                    found.append(f"{segment.name} is not that of run {run.run_id}")
            elif segment.length != state.count:
                found.append(f"{segment.name} has {segment.length:,} values where its state says {state.count:,}")
        if run.verdict == FAILED:
            found.append(f"run {run.run_id} failed: {run.reason}")
    if facts.dead_letters:
        found.append(f"{facts.dead_letters} dead letters; see server-b dead list")
    return found


def unfinished_things(facts: Facts) -> list[str]:
    """Return what somebody has yet to do, a sentence each."""
    found = _newer_runs(facts)
    for run in facts.runs[:1]:
        if run.has_record and not run.is_finished:
            published = f"{run.published} of {run.segments} segments"
            found.append(f"run {run.run_id} has published {published} and is not finished; {_resume(run.run_id)}")
        missing = sum(_is_older(segment, run) for segment in facts.segments)
        if missing and not run.has_record:  # whether they were ever written can't be told any more
            found.append(f"{missing} of {run.segments} segments are not those of run {run.run_id}; {_WRITE_ANOTHER}")
        if run.verdict == PENDING:
            why = f": {run.reason}" if run.reason else ""
            found.append(f"run {run.run_id} has verdicts on {run.verdicts} of {run.segments} segments{why}")
    return found + _unfinished_group(facts.group)


def _newer_runs(facts: Facts) -> list[str]:
    """Return which segments belong to a run newer than all with a signal or a record.

    The state of segment 1 was read before the runs: the record of its run, if it had one, would have been found. Any
    other newer state was read after the runs, so its run began meanwhile and has a record.
    """
    newest = facts.runs[0].run_id if facts.runs else ""
    begun: dict[str, str] = {}
    for segment in facts.segments:
        if segment.state is not None and newest < segment.state.run_id != facts.first_run:
            begun.setdefault(segment.state.run_id, segment.name)
    found = [f"{name} is that of the newer run {run_id}; {_resume(run_id)}" for run_id, name in begun.items()]
    if facts.first_run > newest:
        lost = f"run {facts.first_run}, of which neither a record nor a signal is here"
        found.insert(0, f"{facts.first_segment} is that of {lost}; {_WRITE_ANOTHER}")
    return found


def _is_older(segment: SegmentFacts, run: RunStatus) -> bool:
    """Tell whether this run's list is not there: nothing is, or an older run's."""
    return segment.state is None or segment.state.run_id < run.run_id


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
