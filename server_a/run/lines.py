"""Values from a file, one a line: scanned once for their count, then read again, segment by segment.

The alternative, counting while writing, would publish segments before it is known how many there are, and a consumer
could not tell a run's end. What can't be read twice (standard input, a pipe) is spooled to a temporary file first.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import IO, BinaryIO, cast

from server_a.run.values import Batch, encode_lines
from shared.digest import BLOCK_VALUES
from shared.errors import InvalidInputError, NotFinishedError
from shared.record import SOURCE_VALUES
from shared.segments import MAX_VALUE_BYTES, SegmentRange
from shared.stopping import StopRequest

MAX_BATCH_BYTES = 256 * 1024
_READ_BYTES = 1024 * 1024


class LineSource:
    """The lines of a file as values: any bytes but newline, each at most 1 MiB; the last newline is optional."""

    source = SOURCE_VALUES

    def __init__(self, path: str, *, segment_values: int, stop: StopRequest) -> None:
        """Open and scan the file.

        Args:
            path: The file's name; `-` for standard input.
            segment_values: Lines a segment; the offset of each segment is kept, 8 bytes each.
            stop: Ends the reading.

        Raises:
            InvalidInputError: The file can't be read, changes meanwhile, is empty, or has a line over 1 MiB.
            NotFinishedError: A stop was requested.
        """
        self.path = path
        self._stop = stop
        self.count = 0
        self.max_value_bytes = 0
        self._segment_values = segment_values
        self._offsets = array("Q")
        self._file = _open_rereadable(path, stop)
        self._stamp = self._file_stamp()
        try:
            self._scan()
        except BaseException:
            self._file.close()
            raise

    def describe(self) -> str:
        """Return how many lines of which file there are."""
        name = "standard input" if self.path == "-" else self.path
        return f"{self.count:,} {'line' if self.count == 1 else 'lines'} of {name}"

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's lines in batches of at most 1,000 and 256 KiB, or of one longer line.

        Four of them are in flight; much larger ones would keep a slow link busy for longer than a reply is waited for.

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
                if len(gathered) == room_in_block or (gathered and size + len(line) > MAX_BATCH_BYTES):
                    yield encode_lines(gathered)
                    done += len(gathered)
                    room_in_block = BLOCK_VALUES - done % BLOCK_VALUES
                    gathered, size = [], 0
                gathered.append(line)
                size += len(line)
            if done + len(gathered) == segment.count:
                break
        self._require_unchanged(is_short=done + len(gathered) < segment.count)
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
            _check_stop(self._stop, self.path)
        if not self.count:
            raise InvalidInputError(where=self.path, expected="at least one line", got="an empty file")
        self._require_unchanged()

    def _note_segments(self, lines: list[bytes], offset: int) -> None:
        """Keep the offsets of the segments that begin in these lines."""
        first_boundary = -self.count % self._segment_values
        if first_boundary >= len(lines):
            return
        starts = list(accumulate((len(line) + 1 for line in lines), initial=offset))
        self._offsets.extend(starts[first_boundary : len(lines) : self._segment_values])

    def _require_unchanged(self, *, is_short: bool = False) -> None:
        if is_short or self._file_stamp() != self._stamp:
            raise InvalidInputError(
                where=self.path, expected="the file as it was scanned", got="a file that changed since"
            )

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
        InvalidInputError: A line is longer than 1 MiB, or the file can't be read on.
    """
    rest = b""
    number = 1
    left = sys.maxsize if limit_bytes is None else limit_bytes
    while piece := _read_piece(file, name, min(_READ_BYTES, left)):
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


def _read_piece(file: BinaryIO, name: str, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise _unreadable(name, error) from error


def _open_rereadable(path: str, stop: StopRequest) -> BinaryIO:
    try:
        with ExitStack() as opened:
            file: BinaryIO = sys.stdin.buffer if path == "-" else opened.enter_context(Path(path).open("rb"))
            if path != "-" and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                opened.pop_all()  # the source's to close
                return file
            with ExitStack() as spooled:
                spool = spooled.enter_context(tempfile.TemporaryFile())
                _spool(file, spool, path, stop)
                spool.seek(0)
                spooled.pop_all()
            return cast("BinaryIO", spool)
    except OSError as error:
        raise _unreadable(path, error) from error


def _spool(file: BinaryIO, spool: IO[bytes], path: str, stop: StopRequest) -> None:
    """Copy what comes, and wait for it in a way that a stop request ends."""
    while True:
        stop.wait_for_input(file)
        _check_stop(stop, path)
        piece = os.read(file.fileno(), _READ_BYTES)
        if not piece:
            return
        try:
            spool.write(piece)
        except OSError as error:
            raise InvalidInputError(
                where="--values",
                expected="room for a copy of what can be read but once",
                got=f"{tempfile.gettempdir()}: {error.strerror or error}",
                advice="name a larger folder with TMPDIR, or give a file",
            ) from error


def _check_stop(stop: StopRequest, path: str) -> None:
    if stop.is_requested:
        raise NotFinishedError(where=path, expected="to read it to its end", got="a stop request")


def _unreadable(path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(
        where="--values", expected="a file that can be read", got=f"{path}: {error.strerror or error}"
    )
