"""Matches the lines of a list with those of a file, both read once from the beginning, in bounded memory. Pure.

After a line that differs the nearest place is sought where the next three lines of both agree, among 100,000 lines of
each. A complete comparison, as of `diff`, was rejected: it needs both in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

MAX_AHEAD = 100_000
_AGREEING = 3  # lines that have to agree, unless one of both ends before
_STEPS = (100, 1_000, 10_000, MAX_AHEAD + _AGREEING)  # most differences are small, and are found with little
_PLACES = 8  # of equal lines, how many are tried
_COMPARED = 3_000  # pairs of lines, of what is skipped, of which each is compared
KEPT_BYTES = 200


def line_key(line: bytes) -> bytes:
    """Return what stands for a line: itself, or of a long one its beginning and a digest."""
    return line if len(line) <= KEPT_BYTES else line[:KEPT_BYTES] + blake2b(line, digest_size=16).digest()


@dataclass(frozen=True)
class Difference:
    """One line that only one of both has at this place; the other place is None."""

    in_file: int | None  # from 0
    in_list: int | None
    key: bytes


_Placed = tuple[int, bytes | None]
"""A line, None behind the end, and its place."""


@dataclass
class _Side:
    """The lines of one side: those that were read ahead, then the rest."""

    lines: Iterator[bytes]
    ahead: list[bytes] = field(default_factory=list)  # begins with those not taken yet, at `used`
    used: int = 0
    place: int = 0  # of the next line

    def look(self, most: int) -> list[bytes]:
        """Return the next lines, at most so many, without taking them."""
        del self.ahead[: self.used]
        self.used = 0
        self.ahead.extend(islice(self.lines, max(0, most - len(self.ahead))))
        return self.ahead

    def take(self) -> bytes | None:
        """Return the next line, None at the end."""
        self.place += 1
        if self.used < len(self.ahead):
            self.used += 1
            return self.ahead[self.used - 1]
        return next(self.lines, None)

    def put_back(self, line: bytes | None) -> None:
        """Put back what was taken last."""
        self.place -= 1
        if line is not None:
            self.look(0)
            self.ahead.insert(0, line)


class LineMatching:
    """Yields the differences of a list from a file.

    Attributes:
        lost_at: Places in file and list from where on nothing fits; None where all was matched.
    """

    def __init__(self, in_file: Iterator[bytes], in_list: Iterator[bytes]) -> None:
        """Match keys of lines, see `line_key`."""
        self._file, self._list = _Side(in_file), _Side(in_list)
        self.lost_at: tuple[int, int] | None = None

    def differences(self) -> Iterator[Difference]:
        """Yield what differs, in order, until both have ended or nothing fits any more."""
        while self.lost_at is None:
            expected, found = self._file.take(), self._list.take()
            if expected is None and found is None:
                return
            if expected == found:
                continue
            if expected is None or found is None:
                yield from self._rest(expected, found)
                return
            self._file.put_back(expected)
            self._list.put_back(found)
            yield from self._find_again()

    def _rest(self, expected: bytes | None, found: bytes | None) -> Iterator[Difference]:
        """Yield all that one side has behind the other's end."""
        while expected is not None:
            yield Difference(self._file.place - 1, None, expected)
            expected = self._file.take()
        while found is not None:
            yield Difference(None, self._list.place - 1, found)
            found = self._list.take()

    def _find_again(self) -> Iterator[Difference]:
        for most in _STEPS:
            expected, found = self._file.look(most), self._list.look(most)
            is_all = len(expected) < most and len(found) < most
            place = _nearest(expected[:most], found[:most])
            if place is None and is_all:
                place = (len(expected), len(found))
            if place is not None:
                yield from self._skip(*place)
                return
        self.lost_at = (self._file.place, self._list.place)

    def _skip(self, of_file: int, of_list: int) -> Iterator[Difference]:
        """Take lines that don't fit; as many of both were replaced one by one."""
        before = [(self._file.place, self._file.take()) for _ in range(of_file)]
        instead = [(self._list.place, self._list.take()) for _ in range(of_list)]
        if of_file == of_list:
            pairs = [pair for pair in zip(before, instead, strict=True) if pair[0][1] != pair[1][1]]
            before, instead = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        elif of_file * of_list <= _COMPARED:
            before, instead = _without_common(before, instead)
        yield from (Difference(place, None, key) for place, key in before if key is not None)
        yield from (Difference(None, place, key) for place, key in instead if key is not None)


def _without_common(before: list[_Placed], instead: list[_Placed]) -> tuple[list[_Placed], list[_Placed]]:
    """Leave out the lines that both have in the same order, as many as possible: they stand between two changes."""
    lines, others = [key for _, key in before], [key for _, key in instead]
    common = [[0] * (len(others) + 1) for _ in range(len(lines) + 1)]  # from these two places on
    for line in reversed(range(len(lines))):
        for other in reversed(range(len(others))):
            is_equal = lines[line] == others[other]
            least = common[line + 1][other + 1] + 1 if is_equal else 0
            common[line][other] = max(least, common[line + 1][other], common[line][other + 1])
    left: tuple[list[_Placed], list[_Placed]] = ([], [])
    line = other = 0
    while line < len(lines) and other < len(others):
        if lines[line] == others[other]:
            line, other = line + 1, other + 1
        elif common[line + 1][other] >= common[line][other + 1]:
            left[0].append(before[line])
            line += 1
        else:
            left[1].append(instead[other])
            other += 1
    return left[0] + before[line:], left[1] + instead[other:]


def _nearest(expected: list[bytes], found: list[bytes]) -> tuple[int, int] | None:
    """Return how many lines of each are skipped to where both agree, as few as possible; None if nowhere."""
    places: dict[bytes, list[int]] = {}
    for place, key in enumerate(expected):
        known = places.setdefault(key, [])
        if len(known) < _PLACES:
            known.append(place)
    best: tuple[int, int] | None = None
    for in_list, key in enumerate(found):
        if best is not None and in_list >= sum(best):
            break
        for in_file in places.get(key, ()):
            is_nearer = best is None or in_file + in_list < sum(best)
            if is_nearer and expected[in_file : in_file + _AGREEING] == _as_many(expected, in_file, found, in_list):
                best = (in_file, in_list)
    return best


def _as_many(expected: list[bytes], in_file: int, found: list[bytes], in_list: int) -> list[bytes]:
    """Return the lines of the list that should agree, as far as both go, and what is expected behind that."""
    both = min(_AGREEING, len(expected) - in_file, len(found) - in_list)
    return found[in_list : in_list + both] + expected[in_file + both : in_file + _AGREEING]
