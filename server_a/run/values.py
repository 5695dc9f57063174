"""The values of a run, cut into batches that are ready to send. Numbers are generated, not stored.

A batch carries its values twice: as RESP bulk strings for LPUSH, and joined by newline for the digest. Both are joined
from cached fragments, which takes about a tenth of the time of formatting each number (`make bench`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.check.sizes import numbers_bytes
from shared.digest import BLOCK_VALUES
from shared.segments import SegmentRange

_SUFFIXES = [b"%03d" % number for number in range(1_000)]
_HEADS = [b"\r\n$%d\r\n" % size for size in range(1_000)]  # of a value of each size, behind the end of another value
_SIZES = {head: size for size, head in enumerate(_HEADS)}


@dataclass(frozen=True)
class Batch:
    """Consecutive values of one block, at most 1,000, in insertion order."""

    values: int  # how many there are
    longest: int  # bytes of the longest
    bulk: bytes  # the values as RESP bulk strings
    joined: bytes  # the values joined by newline


class ValueSource(Protocol):
    """Where a run's values come from; it yields the same values each time."""

    source: str  # `numbers` or `values`, as in the run's record
    count: int
    max_value_bytes: int  # length of the longest value

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the batches of a segment; none crosses a boundary between the segment's blocks."""

    def elements_bytes(self, segment: SegmentRange) -> int:
        """Return about how many bytes the server needs for the segment's values, without what a list adds to them."""

    def describe(self) -> str:
        """Return what was inserted, as in the line `Inserted 1 to 10,000 into 'biglist'`."""

    def share(self) -> ValueSource:
        """Return the same values for another process, which pickles; whoever gets them closes them."""

    def close(self) -> None:
        """Close what was opened."""


class NumberSource:
    """The numbers 1 to count."""

    source = "numbers"

    def __init__(self, count: int) -> None:
        self.count = count
        self.max_value_bytes = len(str(count))

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's numbers, one block of 1,000 in each batch."""
        start, end = segment.first + 1, segment.first + segment.count + 1
        for first in range(start, end, BLOCK_VALUES):
            yield encode_numbers(first, min(first + BLOCK_VALUES, end))

    def elements_bytes(self, segment: SegmentRange) -> int:
        """Return how many bytes the server needs for the segment's numbers."""
        return numbers_bytes(segment.first + 1, segment.first + segment.count)

    def describe(self) -> str:
        """Return the range, as the original exercise prints it."""
        return f"1 to {self.count:,}"

    def share(self) -> NumberSource:
        """Return this source; it holds two numbers."""
        return self

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


def encode_lines(lines: list[bytes], joined: bytes | None = None) -> Batch:
    """Return lines, which hold no newline, as one batch; `joined` are the same lines, joined by newline."""
    try:
        # looking a head up, and a size among the few different heads, takes half the time of formatting line by line
        heads = [_HEADS[len(line)] for line in lines]
        longest = max(map(_SIZES.__getitem__, set(heads)))
    except IndexError:
        heads = [b"\r\n$%d\r\n" % len(line) for line in lines]
        longest = max(map(len, lines))
    parts = [b"\r\n"] * (2 * len(lines) + 1)
    parts[:-1:2] = heads
    parts[1::2] = lines
    parts[0] = parts[0][2:]
    return Batch(len(lines), longest, b"".join(parts), b"\n".join(lines) if joined is None else joined)
