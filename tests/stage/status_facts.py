"""Facts as `status` judges them, made without a server: a run of one segment that was verified, and what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.signal import Signal
from shared.state import SegmentState
from shared.status.facts import PENDING, GroupStatus, RunStatus, SegmentFacts
from shared.status.findings import Facts, Findings
from shared.status.reading import judged
from shared.status.status import Status, judge
from shared.verdict import VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, RUN

ATTEMPTS = [f"20200101T00000100{number}Z-abcdef" for number in range(3)]
OTHER_DIGEST = DIGEST[::-1]
BEFORE, LAST, AFTER = "100-0", "100-1", "101-0"

RUNNING = RunStatus(
    RUN, has_record=True, count=10, segments=1, published=1, is_finished=False, verdicts=0, verdict=PENDING, reason=""
)
FINISHED = replace(RUNNING, is_finished=True)
FORGOTTEN = replace(FINISHED, has_record=False)
READ = GroupStatus(is_there=True, last_delivered_id=LAST)
STATE = SegmentState(RUN, ATTEMPTS[1], 10, DIGEST)
SIGNAL = Signal(RUN, ATTEMPTS[1], 1, 1, 10, DIGEST)
VERDICT = SegmentVerdict(VERIFIED, ATTEMPTS[1], 1, 1, 10, DIGEST)
DONE = SegmentFacts(1, "biglist", STATE, 10, VERDICT)
SIGNALLED = SegmentFacts(1, "biglist", STATE, 10, None, BEFORE, has_entry=True, signal=SIGNAL)


def verdict_on(verdict: str, attempt: str = ATTEMPTS[1], digest: str = DIGEST) -> SegmentVerdict:
    """Return a verdict on an attempt at segment 1."""
    return replace(VERDICT, verdict=verdict, attempt=attempt, digest=digest)


def status_of(
    segments: Iterable[SegmentFacts],
    run: RunStatus = FINISHED,
    group: GroupStatus = READ,
    *,
    first_run: str = RUN,
    dead_letters: int = 0,
    not_looked_at: Iterable[str] = (),
    is_followed: bool = False,
) -> Status:
    """Return the status of a newest run with these segments."""
    findings = Findings(run, group)
    for segment in segments:
        findings.add(segment)
    runs = [judged(findings, "result")]
    facts = Facts(runs, "biglist", first_run, "signals", 0, group, findings, dead_letters, list(not_looked_at))
    return judge(replace(facts, is_followed=is_followed), "redis://here", "")
