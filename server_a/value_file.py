"""Values from a file, one a line: scanned once for their count, then read again, segment by segment.

The alternative, counting while writing, would publish segments before it is known how many there are, and a consumer
could not tell a run's end. What can't be read twice (standard input, a pipe) is spooled to a temporary file first.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from array import array
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from server_a.values import Batch, encode_lines
from shared.digest import BLOCK_VALUES
from shared.errors import InvalidInputError
from shared.run_signal import SOURCE_VALUES
from shared.segments import MAX_CHUNK_BYTES, MAX_VALUE_BYTES, SegmentRange

_READ_BYTES = 1024 * 1024


class LineSource:
    """The lines of a file as values: any bytes but newline, each at most 1 MiB; the last newline is optional."""

    source = SOURCE_VALUES

    def __init__(self, path: str, *, segment_values: int) -> None:
        """Open and scan the file.

        Args:
            path: The file's name; `-` for standard input.
            segment_values: Lines a segment; the offset of each segment is kept, 8 bytes each.

        Raises:
            InvalidInputError: The file can't be read, is empty, or has a line over 1 MiB.
        """
        self.path = path
        self.count = 0
        self.max_value_bytes = 0
        self._segment_values = segment_values
        self._offsets = array("Q")
        self._file = _open_rereadable(path)
        try:
            self._scan()
        except BaseException:
            self._file.close()
            raise
        self._stamp = self._file_stamp()

    def describe(self) -> str:
        """Return how many lines of which file there are."""
        name = "standard input" if self.path == "-" else self.path
        return f"{self.count:,} {'line' if self.count == 1 else 'lines'} of {name}"

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's lines in batches of at most 1,000 and 4 MiB.

        Raises:
            InvalidInputError: The file is no longer what was scanned.
        """
        self._file.seek(self._offsets[segment.number - 1])
        room_in_block, size, done = BLOCK_VALUES, 0, 0
        gathered: list[bytes] = []
        for lines in read_lines(self._file, self.path, limit_bytes=self._bytes_of(segment)):
            for line in lines:
                if done + len(gathered) == segment.count:
                    break
                if len(gathered) == room_in_block or (gathered and size + len(line) > MAX_CHUNK_BYTES):
                    yield encode_lines(gathered)
                    done += len(gathered)
                    room_in_block = BLOCK_VALUES - done % BLOCK_VALUES
                    gathered, size = [], 0
                gathered.append(line)
                size += len(line)
            if done + len(gathered) == segment.count:
                break
        if done + len(gathered) < segment.count or self._file_stamp() != self._stamp:
            raise InvalidInputError(
                where=self.path, expected="the file as it was scanned", got="a file that changed since"
            )
        yield encode_lines(gathered)

    def _bytes_of(self, segment: SegmentRange) -> int | None:
        """Return how long the segment is in the file; None for the last one."""
        if segment.number == len(self._offsets):
            return None
        return self._offsets[segment.number] - self._offsets[segment.number - 1]

    def close(self) -> None:
        """Close the file; a spooled copy is gone with it."""
        self._file.close()

    def _scan(self) -> None:
        offset = 0
        for lines in read_lines(self._file, self.path):
            self._note_segments(lines, offset)
            self.count += len(lines)
            self.max_value_bytes = max(self.max_value_bytes, len(max(lines, key=len)))
            offset += sum(map(len, lines)) + len(lines)
        if not self.count:
            raise InvalidInputError(where=self.path, expected="at least one line", got="an empty file")

    def _note_segments(self, lines: list[bytes], offset: int) -> None:
        """Keep the offsets of the segments that begin in these lines."""
        first_boundary = -self.count % self._segment_values
        if first_boundary >= len(lines):
            return
        starts = list(accumulate((len(line) + 1 for line in lines), initial=offset))
        self._offsets.extend(starts[first_boundary : len(lines) : self._segment_values])

    def _file_stamp(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


def read_lines(file: BinaryIO, name: str, *, limit_bytes: int | None = None) -> Iterator[list[bytes]]:
    """Yield the lines from the file's position on, in lists that are never empty; at most about 2 MiB are held.

    Args:
        file: Seekable or not.
        name: For errors.
        limit_bytes: How far to read, up to the end of a line; None for the whole file.

    Raises:
        InvalidInputError: A line is longer than 1 MiB.
    """
    rest = b""
    number = 1
    left = sys.maxsize if limit_bytes is None else limit_bytes
    while piece := file.read(min(_READ_BYTES, left)):
        left -= len(piece)
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if lines:
            _check_lengths(lines, name, number)
            number += len(lines)
            yield lines
        if len(rest) > MAX_VALUE_BYTES:
            _check_lengths([rest], name, number)
    if rest:
        _check_lengths([rest], name, number)
        yield [rest]


def _check_lengths(lines: list[bytes], name: str, number: int) -> None:
    if max(map(len, lines)) > MAX_VALUE_BYTES:
        position = next(index for index, line in enumerate(lines) if len(line) > MAX_VALUE_BYTES)
        raise InvalidInputError(
            where=f"{name} line {number + position}", expected="at most 1 MiB (1,048,576 bytes)", got="a longer one"
        )


def _open_rereadable(path: str) -> BinaryIO:
    try:
        file: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - the source owns it
        if path != "-" and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - the source owns it
        shutil.copyfileobj(file, spool, _READ_BYTES)
        if path != "-":
            file.close()
    except OSError as error:
        raise InvalidInputError(
            where="--values", expected="a file that can be read", got=f"{path}: {error.strerror or error}"
        ) from error
    spool.seek(0)
    return spool
