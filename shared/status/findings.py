"""What the segments of the newest run amount to, taken one by one so that no run is too large to look at.

A verdict counts only where attempt, count and digest are those that are published: any other is about a list that is
not there. Where one lacks, the signal tells why: whoever reads the signals may still come to it, or nobody will.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shared.entry_ids import order_of
from shared.state import SegmentState
from shared.status.facts import PENDING, GroupStatus, RunStatus, SegmentFacts
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict

MAX_EXAMPLES = 10
MAX_REASON_CHARACTERS = 200

WAITING = "waiting"
REPLACED = "replaced by a newer run"
# Why a verdict will never come unless the segment is signalled again; a number of segments stands before the words.
UNSIGNALLED = "published and not signalled"
GONE = "no longer in the stream: trimmed or deleted before there was a verdict"
DIFFERENT = "signalled with something else than what is published"
ANSWERED = "acknowledged, but the verdict on what is published is not there"
LOST_CAUSES = (UNSIGNALLED, GONE, DIFFERENT, ANSWERED)


def is_counted(segment: SegmentFacts, run_id: str) -> bool:
    """Tell whether a segment's verdict is about what is published, or was before a newer run replaced it."""
    verdict, state = segment.verdict, segment.state
    if verdict is None:
        return False
    if state is None or is_missing(state, run_id):  # nothing of the run is there that could have been verified
        return verdict.verdict != VERIFIED
    if state.run_id > run_id:
        return True
    said = (verdict.attempt, verdict.count, verdict.digest)
    is_about_it = said == (state.attempt, state.count, state.digest)
    return is_about_it and verdict.verdict != SUPERSEDED


def cause_of_pending(segment: SegmentFacts, run: RunStatus, group: GroupStatus) -> str:
    """Return why a segment has no verdict that counts."""
    state = segment.state
    if state is not None and state.run_id > run.run_id:
        return REPLACED
    if state is None or is_missing(state, run.run_id) or not run.has_record or not run.is_finished:
        return WAITING  # for the list or for server-a, of which others tell
    if not segment.signal_id:
        return UNSIGNALLED
    if not segment.has_entry:
        return GONE
    said, number = segment.signal, segment.number
    announced = said and (said.run_id, said.segment, said.segments, said.attempt, said.digest, said.count)
    if announced != (run.run_id, number, run.segments, state.attempt, state.digest, state.count):
        return DIFFERENT
    is_delivered = group.is_there and order_of(segment.signal_id) <= order_of(group.last_delivered_id)
    return ANSWERED if is_delivered and not group.pending else WAITING


def is_missing(state: SegmentState, run_id: str) -> bool:
    """Tell whether neither this run nor a newer one has a list there: an older one's is, or what was is removed."""
    return state.run_id < run_id or (state.run_id == run_id and not state.count)


@dataclass
class Verdicts:
    """Verdicts of a run, added in the order of its segments."""

    numbers: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)  # of each verdict, the first one

    def add(self, verdict: SegmentVerdict) -> None:
        """Count one."""
        self.numbers[verdict.verdict] += 1
        if verdict.reason:
            reason = f"segment {verdict.segment}: {verdict.reason[:MAX_REASON_CHARACTERS]}"
            self.reasons.setdefault(verdict.verdict, reason)

    def judged(self, segments: int) -> tuple[str, str]:
        """Return the run's verdict and its reason; `pending` while a segment lacks one."""
        if self.numbers.total() < segments:
            return PENDING, ""
        verdict = next(known for known in (FAILED, SUPERSEDED, VERIFIED) if self.numbers[known])
        return verdict, self.reasons.get(verdict, "")


@dataclass
class Findings:
    """What was found out about the segments so far; lists name the first ten of a kind."""

    run: RunStatus
    group: GroupStatus
    verdicts: Verdicts = field(default_factory=Verdicts)
    recorded: int = 0  # verdicts on a run of this size, whether they count or not
    kinds: Counter[str] = field(default_factory=Counter)  # segments that are `lost` or `damaged`, and causes of pending
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    newer: dict[str, str] = field(default_factory=dict)  # newer runs that states name, each with a segment

    def add(self, segment: SegmentFacts) -> None:
        """Take one segment into account."""
        run_id, state = self.run.run_id, segment.state
        self.recorded += segment.verdict is not None
        if segment.verdict is not None and is_counted(segment, run_id):
            self.verdicts.add(segment.verdict)
        else:
            self.kinds[cause_of_pending(segment, self.run, self.group)] += 1
        if state is not None and state.run_id > run_id and len(self.newer) < MAX_EXAMPLES:
            self.newer.setdefault(state.run_id, segment.name)
        if self.run.has_record and not self.run.is_finished:
            return  # what is not there yet may still be written
        if state is None or is_missing(state, run_id):
            self._note("lost", self.lost, f"{segment.name} is not that of run {run_id}")
        elif segment.length != state.count:
            length, count = f"{segment.length:,}", f"{state.count:,}"
            self._note("damaged", self.damaged, f"{segment.name} has {length} values where its state says {count}")

    def _note(self, kind: str, examples: list[str], sentence: str) -> None:
        self.kinds[kind] += 1
        if len(examples) < MAX_EXAMPLES:
            examples.append(sentence)


@dataclass(frozen=True)
class Facts:
    """Everything that is judged."""

    runs: list[RunStatus]  # those with a signal or a record, newest first, at most 10
    first_segment: str  # the name of segment 1, which every run publishes first
    first_run: str  # the run that segment 1's state names; empty when there is none
    stream: str  # the name of the stream
    foreign_entries: int  # entries of the stream where it has no signal and no group of ours, else 0
    group: GroupStatus
    findings: Findings | None  # of the newest run; None without any run
    dead_letters: int
    not_looked_at: list[str]  # what was left out, as sentences
    letters: str = ""  # the name of the stream of dead letters
    foreign_letters: int = 0  # its entries where none that was read is a dead letter of ours
    is_followed: bool = False  # whether a follower on this host has all verdicts on the newest run
    has_foreign_groups: bool = False  # whether the stream is empty, and has groups of others alone
    beyond: str = ""  # a segment beyond those that the newest run's signals speak of, and of that run
    unrecorded: frozenset[str] = frozenset()  # newer runs that states name and that have no record
    is_young: bool = False  # whether record and result of the newest run can't have expired yet
