"""The ranges that are wrong in a list of lines, compared with the file that the run was written from.

A line that the list does not have where it should be is missing, or moved if it stands elsewhere; one that it should
not have there is foreign, or doubled if the segment has such a line.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from server_b.explain.line_matching import KEPT_BYTES, Difference, LineMatching, line_key
from server_b.explain.ranges import DOUBLED, FOREIGN, MISSING, MOVED, WrongRanges
from shared.digest import SegmentDigest
from shared.endpoint.given_files import open_at_once
from shared.errors import InvalidInputError
from shared.segments import MAX_VALUE_BYTES, SegmentRange

MAX_SORTED = 100_000  # differences of each side that are told apart; what is more is missing or foreign


class LinesOfFile:
    """The lines of segments, read in their order: the file is read through once, and each segment once more."""

    def __init__(self, path: str) -> None:
        """Open the file; InvalidInputError if it can't be read, or not twice."""
        self._path = path
        try:
            # without waiting for somebody who writes to a named pipe, which is refused below
            self._file = os.fdopen(open_at_once(path), "rb")
        except OSError as error:
            got = f"{path}: {error.strerror}"
            raise InvalidInputError(where="--values", expected="a file that can be read", got=got) from error
        if not self._file.seekable():
            self._file.close()
            raise InvalidInputError(where="--values", expected="a file that can be read twice", got=path)
        self._line = 0  # of the file, where `_offset` is
        self._offset = 0

    def lines(self, part: SegmentRange) -> Iterator[bytes]:
        """Yield a segment's lines, without newlines; fewer where the file ends before."""
        self._file.seek(self._offset)
        while self._line < part.first:
            if not self._read():
                return
            self._line += 1
            self._offset = self._file.tell()
        for _ in range(part.count):
            line = self._read()
            if not line:
                return
            yield line.removesuffix(b"\n")

    def require(self, part: SegmentRange, digest: str) -> None:
        """Raise InvalidInputError if the lines of a segment don't give the digest that was announced."""
        found, lines = SegmentDigest(), 0
        for line in self.lines(part):
            found.add(line, 1)
            lines += 1
        if lines != part.count or found.hexdigest() != digest:
            expected = "the file that the run was written from"
            raise InvalidInputError(where="--values", expected=expected, got=f"other lines in segment {part.number}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> bytes:
        line = self._file.readline(MAX_VALUE_BYTES + 2)
        if len(line) > MAX_VALUE_BYTES + 1:
            got = f"one of more than {MAX_VALUE_BYTES:,} bytes in {self._path}"
            raise InvalidInputError(where="--values", expected="lines as server-a takes them", got=got)
        return line


@dataclass
class LineExplanation:
    """What is wrong with one list of lines.

    Attributes:
        lost_at: From which position of the run on nothing fits; None where all was compared.
        is_sorted: Whether all differences were few enough to tell missing from moved, and foreign from doubled.
    """

    file: LinesOfFile
    part: SegmentRange
    ranges: WrongRanges
    lost_at: int | None = field(init=False, default=None)
    is_sorted: bool = field(init=False, default=True)

    def compare(self, values: Iterator[list[bytes]]) -> None:
        """Compare the list, given in insertion order, with the file's lines."""
        in_list = (line_key(value) for portion in values for value in portion)
        with closing(self.file.lines(self.part)) as lines:  # type: ignore[type-var]
            matching = LineMatching(map(line_key, lines), in_list)
            absent: list[Difference] = []
            extra: list[Difference] = []
            for difference in matching.differences():
                side, kind = (absent, MISSING) if difference.in_file is not None else (extra, FOREIGN)
                if len(side) < MAX_SORTED:
                    side.append(difference)
                else:
                    self.is_sorted = False
                    self._add(kind, difference)
            if matching.lost_at is not None:
                self.lost_at = self.part.first + matching.lost_at[0] + 1
                for _ in in_list:  # a list that changes meanwhile is noticed at its end
                    pass
        self._sort(absent, extra)

    def _sort(self, absent: list[Difference], extra: list[Difference]) -> None:
        """Tell what was moved from what is missing, and what is doubled from what is foreign."""
        elsewhere: dict[bytes, deque[Difference]] = defaultdict(deque)
        for difference in extra:
            elsewhere[difference.key].append(difference)
        for difference in absent:
            places = elsewhere[difference.key]
            self._add(MOVED if places else MISSING, difference, places.popleft() if places else None)
        left = {difference.in_list for places in elsewhere.values() for difference in places}
        known = self._places_of({key for key, places in elsewhere.items() if places})
        for difference in extra:
            if difference.in_list in left:
                self._add(DOUBLED if difference.key in known else FOREIGN, difference, place=known.get(difference.key))

    def _places_of(self, keys: set[bytes]) -> dict[bytes, int]:
        """Return where in the segment these lines stand, the first of equal ones."""
        found: dict[bytes, int] = {}
        for place, line in enumerate(self.file.lines(self.part) if keys else ()):
            key = line_key(line)
            if key in keys:
                found.setdefault(key, place)
        return found

    def _add(
        self, kind: str, difference: Difference, found: Difference | None = None, *, place: int | None = None
    ) -> None:
        """Add one line: at its place in the file, or of a foreign one in the list."""
        in_list = (found or difference).in_list
        own = next(each for each in (place, difference.in_file, in_list) if each is not None)
        position = self.part.first + own + 1
        self.ranges.add(kind, position, position)
        self.ranges.add_example(
            kind, self.part.first + (own if in_list is None else in_list) + 1, difference.key[:KEPT_BYTES]
        )
