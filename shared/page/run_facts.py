"""What the lines of a run's segments and its record amount to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared.digest import combined_digest
from shared.page.facts import Claim, Outage, RunFacts
from shared.page.parts import part_of, readers_of, segments_per_part
from shared.page.rates import rates_of, written_amounts
from shared.page.run_record import RecordFacts
from shared.page.segment_lines import MAX_FIRST, UNPUBLISHED, SegmentLine, SegmentLines
from shared.page.under_way import Notes, under_way
from shared.shop.records import Cart
from shared.status.facts import RunStatus
from shared.text import shortened
from shared.tokens import token_ms
from shared.verdict import FAILED, SUPERSEDED, VERIFIED
from shared.witness import witness_of

SERVER_A = "server-a"
MAX_SHOWN = 100  # claims and outages


def run_facts(
    run: RunStatus, record: RecordFacts, found: SegmentLines, carts: Iterable[Cart], *, now_ms: int, notes: Notes
) -> RunFacts:
    """Return the facts of a run.

    Args:
        run: Its status, judged.
        record: Nothing where it is not here.
        found: The lines of its segments.
        carts: Those that are shown.
        now_ms: The server's clock, where the time line of an unfinished run ends.
        notes: What consumers say of how far they are.
    """
    lines = [_line(found, record, number) for number in range(1, run.segments + 1)]
    states = [line.state for line in lines]
    being_read = under_way(notes, found, now_ms)
    began_ms = token_ms(run.run_id)
    written = [(line.begun_ms, line.signalled_ms, line.count) for line in lines if line.begun_ms and line.signalled_ms]
    read = [line for line in lines if line.started_ms and line.ended_ms]
    is_over = run.verdict in (VERIFIED, FAILED, SUPERSEDED) and (run.is_finished or not run.has_record)
    outages = _outages(record, found)
    moments = [record.finished_ms, *(end for _, end, _ in written), *(line.ended_ms for line in lines)]
    moments += [outage.to_ms for outage in outages]
    ended_ms = max([began_ms, *moments, *([] if is_over else [now_ms])])
    write_s = (max(end for _, end, _ in written) - min(begin for begin, _, _ in written)) / 1_000 if written else 0.0
    times_read = [(line.started_ms, line.ended_ms, line.count) for line in read]
    times_read += [(each.began_ms, each.at_ms, each.values) for each in being_read]
    read_s = (
        (max(end for _, end, _ in times_read) - min(begin for begin, _, _ in times_read)) / 1_000 if times_read else 0.0
    )
    per_part = segments_per_part(run.segments)
    readers = readers_of(read, being_read, began_ms, ended_ms)
    claims = sorted(found.claims.values(), key=_when)
    first = [value for number in sorted(found.firsts, reverse=True) for value in found.firsts[number]]
    return RunFacts(
        run_id=run.run_id,
        verdict=run.verdict,
        reason=run.reason,
        witness=witness_of(found.witnesses) if run.verdict == FAILED else None,
        command=shortened(record.record.command, 1_000) if record.record is not None else "",
        source=record.record.source if record.record is not None else "",
        has_record=run.has_record,
        is_finished=run.is_finished,
        count=run.count or sum(line.count for line in lines),
        segments=run.segments,
        published=sum(state != UNPUBLISHED for state in states),
        verified=states.count(VERIFIED),
        failed=states.count(FAILED),
        superseded=states.count(SUPERSEDED),
        shop_kept=record.shop_kept,
        began_ms=began_ms,
        finished_ms=record.finished_ms,
        ended_ms=ended_ms,
        digest_a=_digest(lines),
        digest_b=_digest(lines) if states.count(VERIFIED) == len(lines) else "",
        values_left=sum(line.count for line in lines if not line.is_judged),
        write_s=write_s,
        read_s=read_s,
        written_per_s=_per_s(sum(line.count for line in lines if line.signalled_ms), write_s),
        read_per_s=_per_s(sum(values for _, _, values in times_read), read_s),
        lag_ms=max((line.lag_ms for line in lines if line.taken_ms), default=None),
        outage_s_a=_seconds(outages, is_of_a=True),
        outage_s_b=_seconds(outages, is_of_a=False),
        parts=tuple(part_of(lines[start : start + per_part], being_read) for start in range(0, len(lines), per_part)),
        segments_per_part=per_part,
        readers=readers.shown,
        readers_left_out=readers.left_out,
        claims=tuple(claims[:MAX_SHOWN]),
        claims_left_out=max(0, len(claims) - MAX_SHOWN),
        outages=tuple(outages[:MAX_SHOWN]),
        outages_left_out=max(0, len(outages) - MAX_SHOWN),
        rates=rates_of(began_ms, ended_ms, written_amounts(record.samples) or written, times_read),
        first=tuple(first[:MAX_FIRST]),
        last=found.last,
        carts=tuple(carts),
        users=record.record.users if record.record is not None else 0,
        skus=record.record.skus if record.record is not None else 0,
        cart_count=record.carts,
        under_way=being_read,
    )


def _line(found: SegmentLines, record: RecordFacts, number: int) -> SegmentLine:
    """Return a segment's line; where nothing is known of it yet, the record says how many values it is to have."""
    line = found.lines.get(number) or SegmentLine(number, UNPUBLISHED)
    if line.count or record.record is None or number > record.record.segments:
        return line
    count = record.record.range_of(number).count
    return SegmentLine(number, UNPUBLISHED, count) if number not in found.lines else replace(line, count=count)


def _digest(lines: Sequence[SegmentLine]) -> str:
    digests = [line.digest for line in lines]
    return combined_digest(digests).hex() if lines and all(digests) else ""


def _outages(record: RecordFacts, found: SegmentLines) -> list[Outage]:
    """Return the outages of both programs in order; one that several segments of a consumer tell of, once."""
    ours = [Outage(SERVER_A, *span) for span in record.outages]
    theirs = {outage for outages in found.outages.values() for outage in outages}
    return sorted([*ours, *theirs], key=lambda outage: (outage.from_ms, outage.program))


def _when(claim: Claim) -> tuple[int, int]:
    return claim.at_ms, claim.segment


def _seconds(outages: Iterable[Outage], *, is_of_a: bool) -> float:
    """Return how long the outages of A, or of the consumers, lasted together; what overlaps counts once."""
    total, until = 0, 0
    for outage in outages:
        if (outage.program == SERVER_A) is is_of_a:
            total += max(0, outage.to_ms - max(outage.from_ms, until))
            until = max(until, outage.to_ms)
    return total / 1_000


def _per_s(values: int, seconds: float) -> int:
    return round(values / seconds) if seconds else 0
