"""What the lines of a run's segments and its record amount to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.digest import combined_digest
from shared.page.facts import Claim, Outage, RunFacts
from shared.page.part_sums import PartSum, PartSums
from shared.page.parts import readers_of, segments_per_part, with_reading
from shared.page.rates import Amount, rates_of, written_amounts
from shared.page.run_record import RecordFacts
from shared.page.segment_lines import MAX_FIRST, SegmentLines
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
    run: RunStatus, record: RecordFacts, sums: PartSums, carts: Iterable[Cart], *, now_ms: int, notes: Notes
) -> RunFacts:
    """Return the facts of a run.

    Args:
        run: Its status, judged.
        record: Nothing where it is not here.
        sums: What its segments amount to.
        carts: Those that are shown.
        now_ms: The server's clock, where the time line of an unfinished run ends.
        notes: What consumers say of how far they are.
    """
    found, summed = sums.lines, sums.of(run.segments, record)
    parts = [each.part for each in summed]
    being_read = under_way(notes, found, now_ms)
    began_ms = token_ms(run.run_id)
    written = [each.written for each in summed if each.written is not None]
    times_read = [amount for each in summed for _, amounts in each.read.values() for amount in amounts]
    times_read += [(each.began_ms, each.at_ms, each.values) for each in being_read]
    is_over = run.verdict in (VERIFIED, FAILED, SUPERSEDED) and (run.is_finished or not run.has_record)
    outages = _outages(record, found)
    moments = [began_ms, record.finished_ms, *(each.ended_ms for each in summed)]
    moments += [outage.to_ms for outage in outages]
    ended_ms = max([*moments, *([] if is_over else [now_ms])])
    write_s, read_s = _lasted_s(written), _lasted_s(times_read)
    readers = readers_of([each.read for each in summed], being_read, began_ms, ended_ms)
    claims = sorted(found.claims.values(), key=_when)
    first = [value for number in sorted(found.firsts, reverse=True) for value in found.firsts[number]]
    digest, verified = _digest(summed), sum(part.verified for part in parts)
    return RunFacts(
        run_id=run.run_id,
        verdict=run.verdict,
        reason=run.reason,
        witness=witness_of(found.witnesses) if run.verdict == FAILED else None,
        command=shortened(record.record.command, 1_000) if record.record is not None else "",
        source=record.record.source if record.record is not None else "",
        has_record=run.has_record,
        is_finished=run.is_finished,
        count=run.count or sum(part.values for part in parts),
        segments=run.segments,
        published=run.segments - sum(part.unpublished for part in parts),
        verified=verified,
        failed=sum(part.failed for part in parts),
        superseded=sum(part.superseded for part in parts),
        shop_kept=record.shop_kept,
        began_ms=began_ms,
        finished_ms=record.finished_ms,
        ended_ms=ended_ms,
        digest_a=digest,
        digest_b=digest if verified == run.segments else "",
        values_left=sum(each.values_left for each in summed),
        write_s=write_s,
        read_s=read_s,
        written_per_s=_per_s(sum(each.values_signalled for each in summed), write_s),
        read_per_s=_per_s(sum(values for _, _, values in times_read), read_s),
        lag_ms=max((part.lag_ms for part in parts if part.lag_ms is not None), default=None),
        outage_s_a=_seconds(outages, is_of_a=True),
        outage_s_b=_seconds(outages, is_of_a=False),
        parts=tuple(with_reading(part, being_read) for part in parts),
        segments_per_part=segments_per_part(run.segments),
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


def _digest(summed: Iterable[PartSum]) -> str:
    digests = [each.digests for each in summed]
    known = [raw for raw in digests if raw is not None]
    return combined_digest(known).hex() if known and len(known) == len(digests) else ""


def _lasted_s(amounts: Sequence[Amount]) -> float:
    """Return how long it took from the first to the last."""
    return (max(end for _, end, _ in amounts) - min(begin for begin, _, _ in amounts)) / 1_000 if amounts else 0.0


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
