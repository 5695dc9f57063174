"""The state of a hand-over as both `status` commands show it: what was read (`shared.status.reading`), and judged here.

Only the newest run is judged, because it replaces the older ones. Its record and results expire with the retention,
lists and states don't: a run without a record is judged by lists and states alone. Missing results are no problem then,
but for a day, in which neither can have expired.

Where no server-b has taken part in the group, either one followed a replica and keeps its verdicts to itself, or none
has come yet. Nothing here tells these cases apart, so both count as not finished.

What goes its way is told from what is wrong: a run in progress needs nobody. What was not looked at is told too, since
silence about it would be taken for an all-clear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.program.verdict_file import LocalVerdicts
from shared.status.facts import PENDING, UNKNOWN, GroupStatus, RunStatus
from shared.status.findings import LOST_CAUSES, REPLACED, Facts
from shared.status.reading import SCAN_S, read_facts
from shared.status.under_way import is_all_read, resume, unfinished_things, verdicts_so_far
from shared.verdict import FAILED, SUPERSEDED

_WRITE_ANOTHER = "it can't be resumed without its record, so write another with: server-a run"
_WRITE_BESIDE = "its result takes no verdict, so write another with: server-a run"
_WRITE_FOLLOWED = "its verdicts are on this host alone, so write another with: server-a run"
_IF_FOREIGN = "if it is somebody else's, give both programs a --namespace"


@dataclass(frozen=True)
class Status:
    """Everything that is shown."""

    endpoint: str
    namespace: str
    runs: list[RunStatus]  # newest first, at most 10
    group: GroupStatus
    dead_letters: int
    problems: list[str]  # what is wrong, or will never be finished unless somebody does something; sentences
    under_way: list[str]  # what is not finished and needs nobody yet, as sentences
    not_looked_at: list[str]  # as sentences
    is_empty: bool  # whether nothing of a hand-over is here
    exit_code: int  # 0 when all of it is finished and right, 65 when data or entries are wrong, 75 otherwise

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {"troubles" if name == "problems" else name: value for name, value in asdict(self).items()}


def read_status(
    endpoint: Endpoint,
    keys: Keyspace,
    *,
    is_scanned: bool = False,
    scan_s: float = SCAN_S,
    local: LocalVerdicts | None = None,
    passed: Callable[[int], None] = lambda _: None,
) -> Status:
    """Read the facts and judge them; arguments and costs are those of `read_facts`. Only tests give `scan_s`."""
    facts = read_facts(endpoint, keys, is_scanned=is_scanned, scan_s=scan_s, local=local, passed=passed)
    return judge(facts, endpoint.name, keys.namespace)


def judge(facts: Facts, endpoint: str, namespace: str) -> Status:
    """Return the status that the facts amount to."""
    wrong, never, under_way = wrong_things(facts), endless_things(facts), unfinished_things(facts)
    is_empty = not (facts.runs or facts.first_run or facts.dead_letters)
    is_finished = not (never or under_way or facts.not_looked_at or is_empty)
    return Status(
        endpoint=endpoint,
        namespace=namespace,
        runs=facts.runs,
        group=facts.group,
        dead_letters=facts.dead_letters,
        problems=wrong + never,
        under_way=under_way,
        not_looked_at=facts.not_looked_at,
        is_empty=is_empty,
        exit_code=VerificationFailedError.exit_code if wrong else 0 if is_finished else NotFinishedError.exit_code,
    )


def wrong_things(facts: Facts) -> list[str]:
    """Return what is wrong with data or entries, a sentence each."""
    found = []
    for run in facts.runs[:1]:
        findings = facts.findings
        if findings is not None:
            lost = findings.lost if run.has_record else []
            cure = _no_resume(facts, run) or f"write it again with: {resume(run.run_id)}"
            found += [f"{sentence}; {cure}" for sentence in [*lost, *findings.damaged]]
            more = findings.kinds["lost"] - len(findings.lost) if run.has_record else 0
            more += findings.kinds["damaged"] - len(findings.damaged)
            if more:
                found.append(f"{more:,} more segments of run {run.run_id} are damaged or not there")
        if run.verdict == FAILED:
            repair = f"write that again with: {resume(run.run_id)} --repair"
            cure = _no_resume(facts, run) or (_WRITE_FOLLOWED if facts.is_followed else repair)
            found.append(f"run {run.run_id} failed: {run.reason}; {cure}")
    if facts.dead_letters:
        found.append(f"{facts.dead_letters} dead letters; see server-b dead list")
    return found


def _no_resume(facts: Facts, run: RunStatus) -> str:
    """Return why a run can't be brought to its end by resuming it, with what can; empty where it can."""
    if facts.findings is not None and facts.findings.newer:
        return f"run {max(facts.findings.newer)} has begun to replace it, so it can't be resumed"
    if not run.has_record:
        return _WRITE_ANOTHER
    return _WRITE_BESIDE if run.verdict == PENDING and run.reason else ""


def endless_things(facts: Facts) -> list[str]:
    """Return what will never be finished unless somebody does something, a sentence each, with the cure."""
    found = _newer_things(facts) + _foreign_things(facts)
    for run in facts.runs[:1]:
        kinds = facts.findings.kinds if facts.findings is not None else {}
        missing = kinds.get("lost", 0)
        if missing and not run.has_record:  # whether they were ever written can't be told any more
            found.append(f"{missing} of {run.segments} segments are not those of run {run.run_id}; {_WRITE_ANOTHER}")
        causes = [f"{kinds[cause]:,} {cause}" for cause in LOST_CAUSES if kinds.get(cause)]
        foreign = [run.reason] if run.verdict == PENDING and run.reason else []
        if causes or foreign:
            cure = _no_resume(facts, run) or f"signal again with: {resume(run.run_id)}"
            found.append(f"{verdicts_so_far(run)}: {', '.join([*foreign, *causes])}; {cure}")
        if facts.beyond:
            signals = f"its signals speak of {run.segments} segments alone"
            found.append(f"{facts.beyond} is that of run {run.run_id} too, though {signals}; {_WRITE_ANOTHER}")
        if not (missing or causes or foreign or facts.beyond or kinds.get("damaged")):
            found += _without_record(facts, run)
        if run.verdict == SUPERSEDED and facts.first_run <= run.run_id and not kinds.get(REPLACED):
            found.append(f"run {run.run_id} was superseded ({run.reason}); write another with: server-a run")
    return found


def _newer_things(facts: Facts) -> list[str]:
    """Return which segments are those of runs that are newer than any known one and can't be resumed."""
    newest, found = facts.runs[0].run_id if facts.runs else "", []
    if facts.first_run > newest:
        lost = f"run {facts.first_run}, of which neither a record nor a signal is here"
        found.append(f"{facts.first_segment} is that of {lost}; {_WRITE_ANOTHER}")
    newer = facts.findings.newer.items() if facts.findings is not None else ()
    for run_id, name in newer:
        if run_id in facts.unrecorded:
            found.append(f"{name} is that of the newer run {run_id}, of which no record is here; {_WRITE_ANOTHER}")
    return found


def _foreign_things(facts: Facts) -> list[str]:
    """Return which streams are somebody else's."""
    found = []
    if facts.has_foreign_groups:
        found.append(f"{facts.stream} has no entries, and groups of others alone; {_IF_FOREIGN}")
    if facts.foreign_entries:
        theirs = f"{facts.foreign_entries:,} entries, of which none that was read is a signal"
        found.append(f"{facts.stream} holds {theirs}; {_IF_FOREIGN}")
    if facts.foreign_letters:
        theirs = f"{facts.foreign_letters:,} entries, of which none that was read is a dead letter"
        found.append(f"{facts.letters} holds {theirs}, so server-b would end with 78; {_IF_FOREIGN}")
    return found


def _without_record(facts: Facts, run: RunStatus) -> list[str]:
    """Return what is wrong with a run without a record that lacks verdicts, though nobody is to come to it any more.

    Verdicts expire all at once, a day after they were given at the earliest.
    """
    is_expired = run.verdict == UNKNOWN and not facts.is_young
    if run.has_record or run.verdict not in (PENDING, UNKNOWN) or is_expired or not is_all_read(facts.group):
        return []
    kept = ", though both are kept for a day at least" if facts.is_young else ""
    return [f"{verdicts_so_far(run)}, and no record{kept}; {_WRITE_ANOTHER}"]
