"""Cuts a file of lines into batches, as fast as its bytes can be searched.

A block of 1,000 short lines is found by one call in C. Gathering batches a line at a time in Python was rejected: that
took longer than the server takes to store them. Only where lines are long are they looked at one by one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from zlib import crc32

from shared.digest import BLOCK_VALUES
from shared.segments import MAX_VALUE_BYTES

# a larger batch could keep a slow link busy for longer than the socket's time-out
MAX_BATCH_BYTES = 256 * 1024
READ_BYTES = 256 * 1024  # more does not fit into a core's cache and takes longer
# what has to be at hand to tell where a batch ends: its values, as many newlines, and a byte of the next line
_LOOK_BYTES = MAX_BATCH_BYTES + BLOCK_VALUES


class LineTooLongError(Exception):
    """A line over 1 MiB."""


@lru_cache(maxsize=16)
def _short_lines(count: int, longest: int) -> re.Pattern[bytes]:
    """Match so many lines, none longer than `longest`.

    Both repetitions are possessive: nothing is tried twice, so the time is linear and no memory is taken, whatever the
    lines are.
    """
    return re.compile(rb"(?:[^\n]{0,%d}+\n){%d}+" % (longest, count))


class LineCutter:
    """Cuts the lines of a part of a file; at most about 3 MiB are held.

    Both `skip` and `take` take as many lines as are asked for, or as have 256 KiB without their newlines, or one longer
    line, or the last ones of the part. Both raise LineTooLongError at a line over 1 MiB.

    Attributes:
        position: Place in the file of the first byte that was not taken.
        longest: Bytes of the longest line taken.
        check: CRC-32 of all that was taken; may be set to 0 to begin again. Not BLAKE2b, which takes four times as long
            and would be computed twice: it only has to notice that a file was changed, once in four billion not.
    """

    def __init__(self, read: Callable[[int, int], bytes], start: int, end: int) -> None:
        """Cut what lies from `start`, the first byte of a line, to `end`, behind a newline or beyond the file's end.

        `read` returns at most so many bytes (its first argument) from so many on, none only behind the file's end.
        """
        self.position = start
        self.longest = 0
        self.check = 0
        self._read_at = read
        self._end = end
        self._ahead = start  # place in the file behind what was read
        self._data = b""
        self._at = 0  # where in `_data` the next line begins
        self._guess = 0  # bytes in which as many lines as last time may be found; 0 where lines are long
        self._is_rest = False  # the last lines taken were fewer than asked for

    def skip(self, most: int) -> int:
        """Take the next lines and return only how many, 0 at the end; short lines are not split."""
        while not self._is_rest:
            if found := _short_lines(most, self.longest).match(self._data, self._at):
                if found.end() - self._at > MAX_BATCH_BYTES + most:
                    break
                self._taken(found.end() - self._at)
                return most
            if not self._read_for(_LOOK_BYTES):
                break
        return len(self._take_any(most)[1])

    def take(self, most: int) -> tuple[bytes, list[bytes]]:
        """Return the next lines, joined by newline and as a list, which is empty at the end."""
        window = self._data[self._at : self._at + self._guess]
        lines = window.split(b"\n", most)
        if len(lines) > most:
            size = len(window) - len(lines.pop())
            if size <= MAX_BATCH_BYTES + most:
                return self._taken(size), lines
        return self._take_any(most)

    def _take_any(self, most: int) -> tuple[bytes, list[bytes]]:
        """Take the next lines, however long they are, and note what helps to take those after them."""
        while self._read_for(_LOOK_BYTES):
            pass
        end = self._data.rfind(b"\n", self._at, self._at + _LOOK_BYTES)
        if end < 0:
            return self._take_long()
        lines = self._data[self._at : end].split(b"\n", most)[:most]
        ends = list(accumulate(map(len, lines)))
        values = bisect_right(ends, MAX_BATCH_BYTES) or 1
        del lines[values:]
        self.longest = max(self.longest, *map(len, lines))
        self._is_rest = values < most
        size = ends[values - 1] + values
        self._guess = 0 if self._is_rest else size + size // 4
        return self._taken(size), lines

    def _take_long(self) -> tuple[bytes, list[bytes]]:
        """Take one line that is longer than a batch, or the nothing at the end."""
        while (end := self._data.find(b"\n", self._at)) < 0:
            if len(self._data) - self._at > MAX_VALUE_BYTES:
                raise LineTooLongError
            if not self._read_for(MAX_VALUE_BYTES + 1):
                return b"", []
        size = end - self._at
        if size > MAX_VALUE_BYTES:
            raise LineTooLongError
        self.longest = max(self.longest, size)
        line = self._taken(size + 1)
        return line, [line]

    def _taken(self, size: int) -> bytes:
        joined = self._data[self._at : self._at + size - 1]
        self.check = crc32(b"\n", crc32(joined, self.check))
        self._at += size
        self.position += size
        return joined

    def _read_for(self, size: int) -> bool:
        """Read on, unless so many bytes are at hand or there is nothing left to read; return whether we did."""
        missing = size - (len(self._data) - self._at)
        if missing <= 0 or self._ahead >= self._end:
            return False
        piece = self._read_at(min(max(missing, READ_BYTES), self._end - self._ahead), self._ahead)
        self._ahead += len(piece)
        if not piece:
            self._end = self._ahead
            if self._data and not self._data.endswith(b"\n"):  # the last newline of a file is optional
                piece = b"\n"
        self._data = self._data[self._at :] + piece
        self._at = 0
        return bool(piece)
