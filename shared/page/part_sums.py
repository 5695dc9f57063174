"""What the segments of each part amount to, kept between two looks at a run.

A look reads some hundred segments of 100,000, so only the parts that have one of these are summed again: going through
all lines took 0.4 s at each look. Summing the run alone, without parts, was rejected: a line that is replaced would
have to be taken out again of least and greatest moments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.page.facts import Part
from shared.page.parts import part_of, segments_per_part
from shared.page.rates import Amount
from shared.page.run_record import RecordFacts
from shared.page.segment_lines import UNPUBLISHED, SegmentLine, SegmentLines
from shared.record import RunRecord

_GAPS = 20  # what lies closer than such a fraction of the time in which a part was read is one span


@dataclass(frozen=True)
class PartSum:
    """One part, and what is not drawn of it by itself."""

    part: Part
    digests: bytes | None  # as announced, raw, of all its segments; None where one is not
    values_left: int  # without a verdict
    values_signalled: int
    written: Amount | None  # of the segments whose beginning is known
    read: Mapping[str, tuple[int, Sequence[Amount]]]  # consumer → segments, and when it read how many values
    ended_ms: int  # the last thing that is known of it


@dataclass
class PartSums:
    """The sums of all parts of a run."""

    lines: SegmentLines
    _sums: dict[int, PartSum] = field(init=False, default_factory=dict)
    _summed: tuple[int, RunRecord | None] = field(init=False, default=(0, None))

    def of(self, segments: int, record: RecordFacts) -> list[PartSum]:
        """Return the sums of a run of so many segments; what its record is to write stands for what is not known."""
        per_part = segments_per_part(segments)
        if (segments, record.record) != self._summed:
            self._sums.clear()
            self._summed = segments, record.record
        for part in {(number - 1) // per_part for number in self.lines.changed}:
            self._sums.pop(part, None)
        self.lines.changed.clear()
        for part in range(-(-segments // per_part)):
            if part not in self._sums:
                numbers = range(part * per_part + 1, min((part + 1) * per_part, segments) + 1)
                self._sums[part] = _sum_of([_line(self.lines, record, number) for number in numbers])
        return [self._sums[part] for part in range(len(self._sums))]


def _sum_of(lines: Sequence[SegmentLine]) -> PartSum:
    digests = [line.digest for line in lines]
    written = [line for line in lines if line.begun_ms and line.signalled_ms]
    part = part_of(lines)
    return PartSum(
        part,
        digests=b"".join(digests) if all(digests) else None,
        values_left=sum(line.count for line in lines if not line.is_judged),
        values_signalled=sum(line.count for line in lines if line.signalled_ms),
        written=(*part.written_ms, sum(line.count for line in written)) if part.written_ms else None,
        read=_read(lines),
        ended_ms=max(max(line.ended_ms, line.taken_ms, line.signalled_ms) for line in lines),
    )


def _read(lines: Sequence[SegmentLine]) -> Mapping[str, tuple[int, Sequence[Amount]]]:
    by_name: defaultdict[str, list[Amount]] = defaultdict(list)
    for line in lines:
        if line.started_ms and line.ended_ms:
            by_name[line.consumer].append((line.started_ms, line.ended_ms, line.count))
    return {name: (len(amounts), _merged(amounts)) for name, amounts in by_name.items()}


def _merged(amounts: list[Amount]) -> Sequence[Amount]:
    """Return the amounts in order; those that nearly touch are one."""
    gap_ms = (max(end for _, end, _ in amounts) - min(begin for begin, _, _ in amounts)) // _GAPS
    found: list[Amount] = []
    for begin, end, values in sorted(amounts):
        if found and begin - found[-1][1] <= gap_ms:
            found[-1] = found[-1][0], max(found[-1][1], end), found[-1][2] + values
        else:
            found.append((begin, end, values))
    return found


def _line(found: SegmentLines, record: RecordFacts, number: int) -> SegmentLine:
    """Return a segment's line; where nothing is known of it yet, the record says how many values it is to have."""
    line = found.lines.get(number) or SegmentLine(number, UNPUBLISHED)
    if line.count or record.record is None or number > record.record.segments:
        return line
    count = record.record.range_of(number).count
    return SegmentLine(number, UNPUBLISHED, count) if number not in found.lines else replace(line, count=count)
