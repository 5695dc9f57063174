"""What is kept of each segment while a run is collected: one short line, whatever its verdict holds.

A page that shows a run of 100,000 segments keeps these lines between two looks and asks only for those that may still
change. Keeping the verdicts themselves was rejected: they are some hundred bytes of text each.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shared.page.facts import Claim, Outage
from shared.status.facts import SegmentFacts
from shared.status.findings import is_counted
from shared.text import shortened
from shared.tokens import token_ms
from shared.verdict import FAILED, SegmentVerdict
from shared.witness import Witness

PUBLISHED = "published"
UNPUBLISHED = "unpublished"
MAX_FIRST = 10
MAX_REASON_BYTES = 400
MAX_NAME_BYTES = 200
MAX_KEPT = 1_000  # claims and outages
MAX_MS = 253_370_764_800_000  # the year 9999: what is later is no moment that can be shown


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One segment. Moments in milliseconds; 0 where nothing is known."""

    number: int
    state: str  # of its verdict that counts, else `published` or `unpublished`
    count: int = 0
    digest: bytes = b""  # as announced
    begun_ms: int = 0
    signalled_ms: int = 0
    taken_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    lag_ms: int = 0
    consumer: str = ""
    claimed_from: str = ""
    deliveries: int = 0

    @property
    def is_judged(self) -> bool:
        """Whether it has a verdict that counts."""
        return self.state not in (PUBLISHED, UNPUBLISHED)


@dataclass
class SegmentLines:
    """The lines of one run, and what of its verdicts is shown in full."""

    run_id: str
    lines: dict[int, SegmentLine] = field(default_factory=dict)
    firsts: dict[int, list[str]] = field(default_factory=dict)  # the first values in reverse, by segment
    last: str = ""
    witnesses: dict[int, Witness | None] = field(default_factory=dict)  # of the failed segments
    reasons: dict[str, str] = field(default_factory=dict)  # of each verdict, of the first segment that was read
    claims: dict[int, Claim] = field(default_factory=dict)
    outages: dict[int, list[Outage]] = field(default_factory=dict)  # of the consumers, by segment
    states: Counter[str] = field(default_factory=Counter)  # how many lines have each
    changed: set[int] = field(default_factory=set)  # segments whose lines were not summed yet
    _judged: set[int] = field(default_factory=set)
    _names: dict[str, str] = field(default_factory=dict)  # each consumer's once, however many segments it has read

    def add(self, segment: SegmentFacts, signal_id: str) -> None:
        """Take what was read of a segment; it replaces what was known of it."""
        number, verdict, state = segment.number, segment.verdict, segment.state
        ours = state if state is not None and state.run_id == self.run_id and state.count else None
        counted = verdict if verdict is not None and is_counted(segment, self.run_id) else None
        said = ours or verdict
        waiting = PUBLISHED if ours is not None or signal_id else UNPUBLISHED
        attempt = said.attempt if said is not None else ""
        signalled_ms = moment(int(signal_id.partition("-")[0])) if signal_id else 0
        begun_ms = token_ms(attempt) if attempt else 0
        line = SegmentLine(
            number,
            counted.verdict if counted is not None else waiting,
            count=said.count if said is not None else 0,
            digest=bytes.fromhex(said.digest) if said is not None else b"",
            begun_ms=min(begun_ms, signalled_ms) if signalled_ms else begun_ms,
            signalled_ms=signalled_ms,
        )
        if number in self.lines:
            self.states[self.lines[number].state] -= 1
        self.lines[number] = self._read(line, counted) if counted is not None else line
        self.states[line.state] += 1
        self.changed.add(number)
        (self._judged.add if line.is_judged else self._judged.discard)(number)

    def _read(self, line: SegmentLine, verdict: SegmentVerdict) -> SegmentLine:
        number, names = line.number, self._names
        consumer, other = (
            names.setdefault(name, shortened(name, MAX_NAME_BYTES)) for name in (verdict.consumer, verdict.claimed_from)
        )
        taken_ms = moment(verdict.taken_ms)
        if verdict.first and (len(self.firsts) < MAX_FIRST or number > min(self.firsts)):
            self.firsts[number] = [shortened(value) for value in verdict.first[:MAX_FIRST]]
            if len(self.firsts) > MAX_FIRST:
                del self.firsts[min(self.firsts)]
        if number == 1:
            self.last = shortened(verdict.last or "")
        if verdict.verdict == FAILED:
            self.witnesses[number] = verdict.witness
        if verdict.reason:
            reason = f"segment {number}: {shortened(verdict.reason, MAX_REASON_BYTES)}"
            self.reasons.setdefault(verdict.verdict, reason)
        if verdict.claimed_from and len(self.claims) < MAX_KEPT:
            self.claims[number] = Claim(number, taken_ms, consumer, other)
        if verdict.outages and len(self.outages) < MAX_KEPT:
            self.outages[number] = [
                Outage(consumer, moment(lost), moment(max(lost, back))) for lost, back in verdict.outages
            ]
        is_read = verdict.started_us > 0
        return SegmentLine(
            number, line.state, line.count, line.digest, line.begun_ms,
            line.signalled_ms or (max(0, taken_ms - moment(verdict.lag_ms)) if taken_ms else 0),
            taken_ms=taken_ms,
            started_ms=moment(verdict.started_us // 1_000) if is_read else 0,
            ended_ms=moment(verdict.ended_us // 1_000),
            lag_ms=verdict.lag_ms,
            consumer=consumer,
            claimed_from=other,
            deliveries=verdict.deliveries,
        )  # fmt: skip

    def open_numbers(self, segments: int) -> list[int]:
        """Return the segments that have no verdict yet that counts."""
        return [number for number in range(1, segments + 1) if number not in self._judged]


def moment(milliseconds: int) -> int:
    """Return a moment that can be shown, whatever somebody wrote down."""
    return min(max(0, milliseconds), MAX_MS)
