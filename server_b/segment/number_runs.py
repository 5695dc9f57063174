"""What a list holds that should be the numbers of a segment: a sequence of runs of consecutive numbers. Pure.

A list of which little is wrong is a few runs, however long it is, and so is one that was reversed. A list that was
shuffled has a run for nearly each value: where there are more than 100,000, a bit for each number tells what is missing
and doubled, but nothing tells what was moved. The bits alone would tell that of no list.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import NamedTuple

MAX_RUNS = 100_000  # half a kilobyte each, while they are sorted
MAX_EXAMPLES = 10
_FOREIGN = -1


class Run(NamedTuple):
    """Values that stand behind each other in the list: consecutive numbers, or values that are none of the segment's.

    Numbers are given as offsets from the segment's first.
    """

    place: int  # of the first value, from 0 in insertion order
    start: int  # the first number; -1 for foreign values
    length: int
    step: int  # 1 upward, -1 downward; 1 for a single one

    @property
    def low(self) -> int:
        """The smallest number."""
        return self.start if self.step > 0 else self.start - self.length + 1

    @property
    def is_foreign(self) -> bool:
        """Whether these are values that are not expected in this segment."""
        return self.start == _FOREIGN


class Piece(NamedTuple):
    """Consecutive numbers of one run."""

    run: int
    low: int
    high: int  # behind the last
    missing_below: int  # numbers of the segment below these that the list does not have


class NumberRuns:
    """Takes a list's values in insertion order.

    Attributes:
        values: How many were taken.
        foreign: How many of these are not expected in the segment.
        examples: The first ten of these, with their places in the list.
        wrong: The first value that is not expected where it stands; None where there is none.
        bits: One for each number of the segment that the list has, where there were too many runs to keep; else None.
    """

    def __init__(self, first: int, count: int) -> None:
        """Expect the numbers from `first`, so many."""
        self.first, self.count = first, count
        self.values = self.foreign = 0
        self.examples: list[tuple[int, bytes]] = []
        self.wrong: bytes | None = None
        self.bits: bytearray | None = None
        self._starts, self._lengths = array("q"), array("q")  # a length is negative where numbers go downward
        self._right = -1  # length of the first run, as soon as that is known
        self._start, self._length, self._step = 0, 0, 1  # of the run at the end

    def add(self, values: list[bytes]) -> None:
        """Take the next values, which follow each other in the list."""
        before, self.values = self.values, self.values + len(values)
        if self._step == 1 and self._start != _FOREIGN:
            following = self.first + self._start + self._length
            is_upward = self._start + self._length + len(values) <= self.count
            if is_upward and values == [b"%d" % number for number in range(following, following + len(values))]:
                self._length += len(values)
                return
        for place, value in enumerate(values, start=before):
            self._add_one(place, value)

    @property
    def right(self) -> int:
        """How many values from the first on are those expected."""
        first = next(self.runs(), None)
        if self._right >= 0 or first is None:
            return max(0, self._right)
        return first.length if first.start == 0 and first.step > 0 else 0

    @property
    def distinct(self) -> int:
        """How many numbers of the segment the list has, where `bits` tell."""
        if self.bits is None:
            return 0
        for run in self.runs():
            _set_bits(self.bits, run)
        return int.from_bytes(self.bits, "big").bit_count()

    def runs(self) -> Iterator[Run]:
        """Yield the runs in insertion order: all of them, where there are no `bits`."""
        place = 0
        for start, length in zip(self._starts, self._lengths, strict=True):
            yield Run(place, start, abs(length), 1 if length > 0 else -1)
            place += abs(length)
        if self._length:
            yield Run(place, self._start, self._length, self._step)

    def _add_one(self, place: int, value: bytes) -> None:
        offset = self._offset(value)
        if offset == _FOREIGN:
            self.foreign += 1
            if self.foreign <= MAX_EXAMPLES:
                self.examples.append((place, value))
        start, length = self._start, self._length
        if _FOREIGN in (offset, start):
            fits = offset == start
        elif length == 1 and offset == start - 1:
            fits, self._step = True, -1
        else:
            fits = offset == start + self._step * length
        if fits:
            self._length += 1
            return
        if self.wrong is None:
            self.wrong = value
        if length:
            self._end_run()
        self._start, self._length, self._step = offset, 1, 1

    def _end_run(self) -> None:
        if self._right < 0:
            self._right = self._length if self._start == 0 and self._step > 0 else 0
        self._starts.append(self._start)
        self._lengths.append(self._length * self._step)
        if len(self._starts) < MAX_RUNS:
            return
        self.bits = self.bits or bytearray(self.count // 8 + 1)
        for run in self.runs():
            _set_bits(self.bits, run)
        self._starts, self._lengths = array("q"), array("q")

    def _offset(self, value: bytes) -> int:
        if len(value) > 18 or not value.isdigit() or value[0] == ord("0"):
            return _FOREIGN
        offset = int(value) - self.first
        return offset if 0 <= offset < self.count else _FOREIGN


def _set_bits(bits: bytearray, run: Run) -> None:
    for number in range(run.low, run.low + run.length) if not run.is_foreign else ():
        bits[number >> 3] |= 1 << (number & 7)


def kept_pieces(runs: list[Run], count: int, *, last: AbstractSet[int] = frozenset()) -> tuple[list[Piece], int]:
    """Return where each number that the list has is counted, by number, and how many of the segment are missing.

    A number that is there several times is counted in its longest run: what was put in a second time is a short one.
    Runs in `last` come behind all others.
    """
    order = sorted((run.low, number) for number, run in enumerate(runs) if not run.is_foreign)
    ends = sorted({low for low, _ in order} | {low + runs[number].length for low, number in order})
    pieces: list[Piece] = []
    active: list[tuple[bool, int, int, int, int]] = []
    taken, missing, reached = 0, 0, 0
    for low, high in pairwise(ends):
        while taken < len(order) and order[taken][0] == low:
            number = order[taken][1]
            run = runs[number]
            heapq.heappush(active, (number in last, -run.length, -run.step, number, low + run.length))
            taken += 1
        while active and active[0][-1] <= low:
            heapq.heappop(active)
        if not active:
            continue
        missing, reached = missing + low - reached, high
        number = active[0][3]
        if pieces and pieces[-1].run == number and pieces[-1].high == low:
            pieces[-1] = pieces[-1]._replace(high=high)
        else:
            pieces.append(Piece(number, low, high, missing))
    return pieces, missing + count - reached


def misplaced(runs: list[Run], pieces: list[Piece]) -> Iterator[Piece]:
    """Yield the numbers that don't stand at their rank among those that are counted, in the list's order."""
    rank = 0
    for piece in sorted(pieces, key=lambda piece: (piece.run, piece.low * runs[piece.run].step)):
        low, high, length = piece.low, piece.high, piece.high - piece.low
        if runs[piece.run].step > 0:
            if low - piece.missing_below != rank:
                yield piece
        else:
            # the number n stands at rank + high - 1 - n, and belongs at n - missing_below
            right, is_between = divmod(rank + high - 1 + piece.missing_below, 2)
            if is_between or not low <= right < high:
                yield piece
            else:
                parts = ((right + 1, high), (low, right))
                yield from (piece._replace(low=a, high=b) for a, b in parts if a < b)
        rank += length
