"""Facts as the report draws them, made without a server; what comes out is the golden file.

After a wanted change of the drawing: `python -m tests.stage.page_facts` writes the golden file again.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from shared.page.facts import EndpointFacts, Letter, PageFacts, RunFacts
from shared.page.part_sums import PartSums
from shared.page.render import report_html
from shared.page.run_facts import run_facts
from shared.page.run_record import RecordFacts
from shared.page.segment_lines import SegmentLines
from shared.page.under_way import Notes
from shared.reading import ReadingNote
from shared.record import RunRecord
from shared.shop.records import Cart, CartLine
from shared.state import SegmentState
from shared.status.facts import PENDING, GroupStatus, RunStatus, SegmentFacts
from shared.tokens import token_ms
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from shared.witness import Witness

GOLDEN = Path(__file__).parents[1] / "shared" / "page" / "golden" / "report.html"
RUN_ID = "20261122T205801123Z-3f9a1c"
NEWER_ID = "20261122T235959999Z-3f9a1c"
BEGAN_MS = token_ms(RUN_ID)
DIGEST = "0123456789abcdef0123456789abcdef"
HERE = EndpointFacts(
    "redis://redis.example:6379/0", "valkey", "9.1.2", "standalone", "master", is_encrypted=False, round_trip_ms=0.25,
    clock_ms=BEGAN_MS + 9_000,
)  # fmt: skip
WITNESS = Witness("changed", 3, 2_500, "2500", "<script>alert(1)</script>", 1, 0, 1, 0, 1, 1)


def attempt(number: int) -> str:
    """Return the token of a segment's attempt, which begins 10 ms after the one before."""
    second, ms = divmod((58 * 60 + 1) * 1_000 + 200 + number * 10, 1_000)
    return f"20261122T{20 + second // 3600}{second // 60 % 60:02d}{second % 60:02d}{ms:03d}Z-abcdef"


def segment(number: int, *, verdict: str = VERIFIED, segments: int = 5, outages: int = 0) -> SegmentFacts:
    """Return a segment that was published, and read unless its verdict is empty."""
    token, signalled_ms = attempt(number), BEGAN_MS + 100 + number * 10
    state = SegmentState(NEWER_ID if verdict == SUPERSEDED else RUN_ID, token, 1_000, DIGEST)
    if not verdict:
        return SegmentFacts(number, "biglist", state, 1_000)
    found = SegmentVerdict(
        verdict, token, number, segments, 1_000, DIGEST,
        reason="changed" if verdict == FAILED else "",
        first=[str(value) for value in range(number * 1_000, number * 1_000 - 10, -1)] if number == segments else [],
        last="1" if number == 1 else None,
        lag_ms=1_000,
        started_us=(signalled_ms + 1_001) * 1_000,
        ended_us=(signalled_ms + 1_008) * 1_000,
        consumer="host-b",
        taken_ms=signalled_ms + 1_000,
        deliveries=2 if number == 2 else 1,
        claimed_from="host-c" if number == 2 else "",
        outages=[[BEGAN_MS + 300 + 200 * n, BEGAN_MS + 400 + 200 * n] for n in range(outages)],
        witness=WITNESS if verdict == FAILED else None,
    )  # fmt: skip
    return SegmentFacts(number, "biglist", state, 1_000, found)


def run_of(
    found: list[SegmentFacts],
    *,
    verdict: str = VERIFIED,
    segments: int = 5,
    outages: int = 0,
    is_finished: bool = True,
    notes: Notes | None = None,
) -> RunFacts:
    """Return the facts of a run with these segments."""
    lines = SegmentLines(RUN_ID)
    for each in found:
        lines.add(each, f"{BEGAN_MS + 100 + each.number * 10}-0")
    record = RunRecord(RUN_ID, "numbers", segments * 1_000, 1_000, 5, 1, 2, 1, 1, 604_800_000, command="server-a run")
    status = RunStatus(
        RUN_ID, has_record=True, count=segments * 1_000, segments=segments, published=len(found),
        is_finished=is_finished, verdicts=len(found), verdict=verdict,
        reason="segment 3: changed" if verdict == FAILED else "",
    )  # fmt: skip
    times = RecordFacts(
        record,
        finished_ms=BEGAN_MS + 200 if is_finished else 0,
        outages=tuple((BEGAN_MS + 500 + 300 * n, BEGAN_MS + 600 + 300 * n) for n in range(outages)),
        samples=((BEGAN_MS + 100, 0), (BEGAN_MS + 200, segments * 1_000)),
    )
    line = CartLine("sku123", "AirPods", Decimal("199.99"), 1, "1")
    return run_facts(status, times, PartSums(lines), [Cart("1", (line,))], now_ms=BEGAN_MS + 9_000, notes=notes or {})


def page_of(run: RunFacts | None, **changed: object) -> PageFacts:
    """Return a page with a run."""
    status = (
        RunStatus(
            run.run_id, has_record=True, count=run.count, segments=run.segments, published=run.published,
            is_finished=run.is_finished, verdicts=run.verified, verdict=run.verdict, reason=run.reason,
        ),
    ) if run is not None else ()  # fmt: skip
    facts = PageFacts(
        version="0.1.0", namespace="", endpoint=HERE, peer=None, run=run, runs=status,
        group=GroupStatus(is_there=True, consumers=[{"name": "host-b", "pending": 0, "idle_ms": 120}]),
        is_followed=False, dead_letters=0, letters=(),
    )  # fmt: skip
    return replace(facts, **changed)  # type: ignore[arg-type]


def golden_facts() -> PageFacts:
    """Return the facts of the golden file: a failed run with a claim, outages at both ends and a dead letter."""
    found = [segment(n, verdict=FAILED if n == 3 else VERIFIED, outages=3 if n == 4 else 0) for n in range(1, 6)]
    letter = Letter("1-1", "no signal <b>", "host-b")
    run = run_of(found, verdict=FAILED, outages=2)
    return page_of(run, dead_letters=1, letters=(letter,), wrong=("run failed",), peer=HERE)


def being_read() -> RunFacts:
    """Return the facts of the same run while its third segment is read, by a consumer that stands still now."""
    notes = {
        "host-b": ReadingNote(RUN_ID, 3, 250, BEGAN_MS + 1_200, BEGAN_MS + 2_000),
        "host-c": ReadingNote(RUN_ID, 1, 5, BEGAN_MS + 8_000, BEGAN_MS + 9_000),  # which has a verdict
        "host-d": ReadingNote(NEWER_ID, 3, 5, BEGAN_MS + 8_000, BEGAN_MS + 9_000),
        "host-e": ReadingNote(RUN_ID, 9, 5, BEGAN_MS + 8_000, BEGAN_MS + 9_000),
    }
    found = [segment(1), segment(2), segment(3, verdict=""), segment(4, verdict="")]
    return run_of(found, verdict=PENDING, is_finished=False, notes=notes)


def unfinished() -> RunFacts:
    """Return the facts of a run of which three segments of five are published and two read."""
    return run_of([segment(1), segment(2), segment(3, verdict="")], verdict=PENDING, is_finished=False)


if __name__ == "__main__":
    GOLDEN.write_text(report_html(golden_facts()), "utf-8")
