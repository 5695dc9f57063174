"""Values from a file, one a line: scanned once for their count, then read again, segment by segment.

Counting while writing was rejected: segments would be published before their number is known, and a consumer could not
tell where a run ends. Input that can't be read twice (standard input, a pipe) is first copied to a temporary file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import BinaryIO, cast

from server_a.run.values import Batch, encode_lines
from shared.digest import BLOCK_VALUES
from shared.errors import InvalidInputError
from shared.record import SOURCE_VALUES
from shared.segments import MAX_VALUE_BYTES, SegmentRange
from shared.stopping import StopRequest

# a larger batch could keep a slow link busy for longer than the socket's time-out
MAX_BATCH_BYTES = 256 * 1024
_READ_BYTES = 1024 * 1024


class LineSource:
    """The lines of a file as values: any bytes but newline, each at most 1 MiB; the last newline is optional."""

    source = SOURCE_VALUES

    def __init__(self, path: str, *, segment_values: int, stop: StopRequest) -> None:
        """Open and scan the file; `-` is standard input. The offset of each segment is kept, 8 bytes each.

        Raises InvalidInputError if the file can't be read, changes meanwhile, is empty, or has a line over 1 MiB.
        """
        self.path = path
        self.count = 0
        self.max_value_bytes = 0
        self._offsets = array("Q")
        self._file = _open_rereadable(path, stop)
        self._stamp = self._file_stamp()
        try:
            self._scan(segment_values, stop)
        except BaseException:
            self._file.close()
            raise

    def describe(self) -> str:
        """Return how many lines of which file there are."""
        name = "standard input" if self.path == "-" else self.path
        return f"{self.count:,} {'line' if self.count == 1 else 'lines'} of {name}"

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's lines in batches of at most 1,000 and 256 KiB, or of one longer line."""
        start = self._offsets[segment.number - 1]
        is_last = segment.number == len(self._offsets)
        limit_bytes = None if is_last else self._offsets[segment.number] - start
        self._file.seek(start)
        room_in_block, size, done = BLOCK_VALUES, 0, 0
        gathered: list[bytes] = []
        lines = chain.from_iterable(read_lines(self._file, self.path, limit_bytes=limit_bytes))
        for line in islice(lines, segment.count):
            if len(gathered) == room_in_block or (gathered and size + len(line) > MAX_BATCH_BYTES):
                yield encode_lines(gathered)
                done += len(gathered)
                room_in_block = BLOCK_VALUES - done % BLOCK_VALUES
                gathered, size = [], 0
            gathered.append(line)
            size += len(line)
        self._require_unchanged(is_short=done + len(gathered) < segment.count)
        yield encode_lines(gathered)

    def close(self) -> None:
        """Close the file; a temporary copy is removed with it."""
        self._file.close()

    def _scan(self, segment_values: int, stop: StopRequest) -> None:
        offset = 0
        for lines in read_lines(self._file, self.path):
            first_boundary = -self.count % segment_values
            if first_boundary < len(lines):  # at least one segment begins in these lines
                starts = list(accumulate((len(line) + 1 for line in lines), initial=offset))
                self._offsets.extend(starts[first_boundary : len(lines) : segment_values])
            self.count += len(lines)
            self.max_value_bytes = max(self.max_value_bytes, len(max(lines, key=len)))
            offset += sum(map(len, lines)) + len(lines)
            stop.check(self.path)
        if not self.count:
            raise InvalidInputError(where=self.path, expected="at least one line", got="an empty file")
        self._require_unchanged()

    def _require_unchanged(self, *, is_short: bool = False) -> None:
        if is_short or self._file_stamp() != self._stamp:
            expected, got = "the file as it was scanned", "a file that changed since"
            raise InvalidInputError(where=self.path, expected=expected, got=got)

    def _file_stamp(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


def read_lines(file: BinaryIO, name: str, *, limit_bytes: int | None = None) -> Iterator[list[bytes]]:
    """Yield the lines from the file's position on, in lists that are never empty; at most about 2 MiB are held.

    Reading ends after `limit_bytes`, which is the end of a line; None reads the whole file.
    """
    rest = b""
    number = 1
    left = sys.maxsize if limit_bytes is None else limit_bytes
    try:
        while piece := file.read(min(_READ_BYTES, left)):
            left -= len(piece)
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            if lines:
                _check_lengths(lines, name, number)
                number += len(lines)
                yield lines
            _check_lengths([rest], name, number)
    except OSError as error:
        raise _unreadable(name, error) from error
    if rest:
        yield [rest]


def _check_lengths(lines: list[bytes], name: str, number: int) -> None:
    if max(map(len, lines)) > MAX_VALUE_BYTES:
        position = next(index for index, line in enumerate(lines) if len(line) > MAX_VALUE_BYTES)
        where, expected = f"{name} line {number + position}", "at most 1 MiB (1,048,576 bytes)"
        raise InvalidInputError(where=where, expected=expected, got="a longer one")


def _open_rereadable(path: str, stop: StopRequest) -> BinaryIO:
    """Open a regular file, or copy anything else to a temporary one."""
    try:
        if path == "-":
            return _copied(sys.stdin.buffer, path, stop)
        if Path(path).is_file():
            return Path(path).open("rb")
        with Path(path).open("rb") as pipe:
            return _copied(pipe, path, stop)
    except OSError as error:
        raise _unreadable(path, error) from error


def _copied(file: BinaryIO, path: str, stop: StopRequest) -> BinaryIO:
    with ExitStack() as closed_on_error:
        copy = closed_on_error.enter_context(tempfile.TemporaryFile())
        while True:
            stop.wait_for_input(file)  # ends also at a stop request, which a read would not
            stop.check(path)
            piece = os.read(file.fileno(), _READ_BYTES)
            if not piece:
                break
            try:
                copy.write(piece)
            except OSError as error:
                got, advice = _reason(tempfile.gettempdir(), error), "name a larger folder with TMPDIR, or give a file"
                expected = "room for a copy of input that can be read only once"
                raise InvalidInputError(where="--values", expected=expected, got=got, advice=advice) from error
        copy.seek(0)
        closed_on_error.pop_all()
    return cast("BinaryIO", copy)


def _unreadable(path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(where="--values", expected="a file that can be read", got=_reason(path, error))


def _reason(path: str, error: OSError) -> str:
    return f"{path}: {error.strerror or error}"
