"""Segments put together for drawing: at most 1,000 parts, and for each consumer at most 200 times at which it read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.page.facts import MAX_PARTS, Part, Reader, Span, UnderWay
from shared.page.rates import Amount
from shared.page.segment_lines import PUBLISHED, UNPUBLISHED, SegmentLine
from shared.page.spans import merged
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


def part_of(lines: Sequence[SegmentLine]) -> Part:
    """Return one part from consecutive lines."""
    states = [line.state for line in lines]
    signals = [line.signalled_ms for line in lines if line.signalled_ms]
    taken = [line for line in lines if line.taken_ms]
    return Part(
        first=lines[0].number,
        last=lines[-1].number,
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
    )


def with_reading(part: Part, under_way: Iterable[UnderWay]) -> Part:
    """Return a part with what is being read of it, of all that is being read of its run."""
    own = [each for each in under_way if part.first <= each.segment <= part.last]
    return replace(part, reading=len(own), values_read=sum(each.values for each in own)) if own else part


def readers_of(
    read: Iterable[Mapping[str, tuple[int, Sequence[Amount]]]],
    under_way: Iterable[UnderWay],
    began_ms: int,
    ended_ms: int,
) -> Readers:
    """Return who has read what, from what was read of each part, and who reads."""
    segments: Counter[str] = Counter()
    amounts: defaultdict[str, list[Amount]] = defaultdict(list)
    reading = {each.consumer for each in under_way}
    segments.update(dict.fromkeys(reading, 0))
    for each in read:
        for name, (number, own) in each.items():
            segments[name] += number
            amounts[name] += own
    gap_ms = (ended_ms - began_ms) // (2 * MAX_SPANS)
    found = [
        Reader(
            name, number, sum(values for _, _, values in amounts[name]),
            tuple(merged(((begin, end) for begin, end, _ in amounts[name]), gap_ms)),
        )
        for name, number in segments.items()
    ]  # fmt: skip
    most = sorted(found, key=lambda reader: (reader.name not in reading, -reader.values, reader.name))[:MAX_READERS]
    return Readers(tuple(sorted(most, key=lambda reader: (reader.read_ms, reader.name))), len(found) - len(most))


def _span(spans: Iterable[Span]) -> Span | None:
    known = [span for span in spans if all(span)]
    return (min(begin for begin, _ in known), max(end for _, end in known)) if known else None
