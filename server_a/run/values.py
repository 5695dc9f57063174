"""The values of a run, cut into batches that are ready for the wire. Numbers are made, not stored.

A batch carries its values twice: as RESP bulk strings for LPUSH, and joined by newline for the digest. Both come from
one join over cached fragments, about a tenth of what formatting each number costs (`make bench`), so
that the server, not this program, sets the pace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.digest import BLOCK_VALUES
from shared.segments import SegmentRange

_SUFFIXES = [b"%03d" % number for number in range(1_000)]


@dataclass(frozen=True)
class Batch:
    """Consecutive values of one block, at most 1,000 and, for lines, at most 4 MiB.

    Attributes:
        values: How many there are.
        longest: Bytes of the longest.
        bulk: The values as RESP bulk strings, in insertion order.
        joined: The values joined by newline, in insertion order.
    """

    values: int
    longest: int
    bulk: bytes
    joined: bytes


class ValueSource(Protocol):
    """Where a run's values come from; the same values each time they are asked for.

    Attributes:
        source: `numbers` or `values`, as the run's record keeps it.
        count: How many values there are.
        max_value_bytes: Length of the longest.
    """

    source: str
    count: int
    max_value_bytes: int

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the batches of a segment; none crosses a border between the segment's blocks."""

    def describe(self) -> str:
        """Return what was inserted, as in the line `Inserted 1 to 10,000 into 'biglist'`."""

    def close(self) -> None:
        """Give back what was opened."""


class NumberSource:
    """The numbers 1 to count."""

    source = "numbers"

    def __init__(self, count: int) -> None:
        """Stand for the numbers 1 to `count`."""
        self.count = count
        self.max_value_bytes = len(str(count))

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's numbers, a block of 1,000 a batch."""
        start, end = segment.first + 1, segment.first + segment.count + 1
        for first in range(start, end, BLOCK_VALUES):
            yield encode_numbers(first, min(first + BLOCK_VALUES, end))

    def describe(self) -> str:
        """Return the range, as the original exercise prints it."""
        return f"1 to {self.count:,}"

    def close(self) -> None:
        """Do nothing; nothing was opened."""


def encode_numbers(start: int, end: int) -> Batch:
    """Return the numbers from `start` up to but not including `end`, both at least 1, as one batch."""
    bulks: list[bytes] = []
    joined: list[bytes] = []
    for thousand in range(start // 1_000, (end - 1) // 1_000 + 1):
        first = max(start - thousand * 1_000, 0)
        last = min(end - thousand * 1_000, 1_000)
        if thousand == 0:
            texts = [b"%d" % number for number in range(first, last)]
            bulks += [b"$%d\r\n%b\r\n" % (len(text), text) for text in texts]
            joined.append(b"\n".join(texts))
            continue
        prefix = b"%d" % thousand
        head = b"$%d\r\n%b" % (len(prefix) + 3, prefix)
        suffixes = _SUFFIXES[first:last]
        bulks += (head, (b"\r\n" + head).join(suffixes), b"\r\n")
        joined.append(prefix + (b"\n" + prefix).join(suffixes))
    return Batch(end - start, len(str(end - 1)), b"".join(bulks), b"\n".join(joined))


def encode_lines(lines: list[bytes]) -> Batch:
    """Return lines, which hold no newline, as one batch."""
    bulk = b"".join([b"$%d\r\n%b\r\n" % (len(line), line) for line in lines])
    return Batch(len(lines), max(map(len, lines)), bulk, b"\n".join(lines))
