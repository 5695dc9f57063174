"""Segments put together for drawing: at most 1,000 parts, and for each consumer at most 200 times at which it read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.page.facts import MAX_PARTS, Part, Reader, Span, UnderWay
from shared.page.segment_lines import PUBLISHED, UNPUBLISHED, SegmentLine
from shared.verdict import FAILED, SUPERSEDED, VERIFIED

MAX_READERS = 8
MAX_SPANS = 200


@dataclass(frozen=True)
class Readers:
    """The consumers that have read most, and how many others there are."""

    shown: tuple[Reader, ...]
    left_out: int


def segments_per_part(segments: int) -> int:
    """Return how many segments one part stands for."""
    return max(1, -(-segments // MAX_PARTS))


def part_of(lines: Sequence[SegmentLine], under_way: Iterable[UnderWay] = ()) -> Part:
    """Return one part from consecutive lines, and what is being read of the run."""
    first, last = lines[0].number, lines[-1].number
    being_read = [each for each in under_way if first <= each.segment <= last]
    states = [line.state for line in lines]
    signals = [line.signalled_ms for line in lines if line.signalled_ms]
    taken = [line for line in lines if line.taken_ms]
    return Part(
        first=first,
        last=last,
        values=sum(line.count for line in lines),
        verified=states.count(VERIFIED),
        failed=states.count(FAILED),
        superseded=states.count(SUPERSEDED),
        published=states.count(PUBLISHED),
        unpublished=states.count(UNPUBLISHED),
        written_ms=_span((line.begun_ms, line.signalled_ms) for line in lines),
        signalled_ms=min(signals, default=None),
        taken_ms=min((line.taken_ms for line in taken), default=None),
        read_ms=_span((line.started_ms, line.ended_ms) for line in lines),
        lag_ms=max((line.lag_ms for line in taken), default=None),
        consumer=next((line.consumer for line in lines if line.consumer), ""),
        claimed_from=next((line.claimed_from for line in lines if line.claimed_from), ""),
        deliveries=max((line.deliveries for line in lines), default=0),
        reading=len(being_read),
        values_read=sum(each.values for each in being_read),
    )


def readers_of(read: Iterable[SegmentLine], under_way: Iterable[UnderWay], began_ms: int, ended_ms: int) -> Readers:
    """Return who has read what, from the lines of the segments that were read, and who reads."""
    by_name: defaultdict[str, list[SegmentLine]] = defaultdict(list)
    reading = {each.consumer for each in under_way}
    by_name.update({name: [] for name in reading})
    for line in read:
        by_name[line.consumer].append(line)
    gap_ms = (ended_ms - began_ms) // (2 * MAX_SPANS)
    found = [
        Reader(
            name, len(lines), sum(line.count for line in lines),
            _merged([(line.started_ms, line.ended_ms) for line in lines], gap_ms),
        )
        for name, lines in by_name.items()
    ]  # fmt: skip
    most = sorted(found, key=lambda reader: (reader.name not in reading, -reader.values, reader.name))[:MAX_READERS]
    return Readers(tuple(sorted(most, key=lambda reader: (reader.read_ms, reader.name))), len(found) - len(most))


def _span(spans: Iterable[Span]) -> Span | None:
    known = [span for span in spans if all(span)]
    return (min(begin for begin, _ in known), max(end for _, end in known)) if known else None


def _merged(spans: list[Span], gap_ms: int) -> tuple[Span, ...]:
    """Return spans in order; those that are closer than the gap are one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= gap_ms:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return tuple(found)
