"""Values from a file, one a line: scanned once for their count, then read again, segment by segment.

Counting while writing was rejected: segments would be published before their number is known, and a consumer could not
tell where a run ends. The scan keeps a checksum of each segment, because size and time of a file don't tell every
change: the time may be set back, and writes within one tick of the kernel's clock have the same.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator

from server_a.run.line_cutter import LineCutter, LineTooLongError
from server_a.run.line_file import LineFile, raise_too_long
from server_a.run.line_sample import element_ratio
from server_a.run.values import Batch, encode_lines
from shared.digest import BLOCK_VALUES
from shared.errors import InvalidInputError
from shared.record import SOURCE_VALUES
from shared.segments import MAX_SEGMENTS, SegmentRange
from shared.stopping import StopRequest


class LineScan:
    """What one reading of a file found.

    Attributes:
        count: Lines.
        max_value_bytes: Bytes of the longest line.
        stamp: The file's, before the reading.
        starts: Place of the first byte of each segment, and behind the last one's last.
        checks: CRC-32 of each segment.
    """

    def __init__(self, file: LineFile, *, segment_values: int, stop: StopRequest) -> None:
        """Read the file; raise InvalidInputError if it is empty, has a line over 1 MiB, or changes meanwhile."""
        self.count = 0
        self.stamp = file.stamp()
        self.starts = array("Q", [0])
        self.checks = array("L")
        cutter = LineCutter(file.read, 0, sys.maxsize)
        try:
            while self._scan_segment(cutter, file.name, segment_values, stop):
                if len(self.starts) > MAX_SEGMENTS:  # what a run can't have is counted only, to be refused as a whole
                    segment_values = sys.maxsize
        except LineTooLongError:
            raise_too_long(file.name, self.count + 1)
        self.max_value_bytes = cutter.longest
        if not self.count:
            raise InvalidInputError(where=file.name, expected="at least one line", got="an empty file")
        if file.stamp() != self.stamp:
            raise _changed_error(file.name)

    def _scan_segment(self, cutter: LineCutter, name: str, segment_values: int, stop: StopRequest) -> bool:
        """Take a segment's lines; return whether it was full."""
        cutter.check = done = 0
        while done < segment_values and (values := cutter.skip(_most(done, segment_values))):
            done += values
            self.count += values  # tells the number of a line that is refused
            stop.check(name)
        if done:
            self.starts.append(cutter.position)
            self.checks.append(cutter.check)
        return done == segment_values


def _most(done: int, count: int) -> int:
    """Return how many lines are left of the block in which a segment of `count` lines stands after `done`."""
    return min(count - done, BLOCK_VALUES - done % BLOCK_VALUES)


class ScannedLines:
    """The lines of a file that was scanned.

    Segments may be read by several threads at once, each with an iterator of its own. Another process gets what `share`
    returns: inherited by a fork, or as an argument of a `multiprocessing.Process`, however that starts.
    """

    source = SOURCE_VALUES

    def __init__(self, file: LineFile, scan: LineScan) -> None:
        self.count = scan.count
        self.max_value_bytes = scan.max_value_bytes
        self._file = file
        self._scan = scan
        self._ratio = 0.0  # see `element_ratio`; 0 until it is asked for

    def describe(self) -> str:
        """Return how many lines of which file there are."""
        name = "standard input" if self._file.name == "-" else self._file.name
        return f"{self.count:,} {'line' if self.count == 1 else 'lines'} of {name}"

    def elements_bytes(self, segment: SegmentRange) -> int:
        """Return about how many bytes the server needs for the segment's lines, from a sample of the file."""
        starts, index = self._scan.starts, segment.number - 1
        self._ratio = self._ratio or element_ratio(self._file.read, starts[-1])
        return round((starts[index + 1] - starts[index]) * self._ratio)

    def batches(self, segment: SegmentRange) -> Iterator[Batch]:
        """Yield the segment's lines in batches of at most 1,000 and 256 KiB, or of one longer line.

        Raises InvalidInputError, before the last batch, if these are not the lines that were scanned.
        """
        name, scan, index = self._file.name, self._scan, segment.number - 1
        cutter = LineCutter(self._file.read, scan.starts[index], scan.starts[index + 1])
        done = 0
        while done < segment.count:
            try:
                joined, lines = cutter.take(_most(done, segment.count))
            except LineTooLongError as error:
                raise _changed_error(name, segment.number) from error
            done += len(lines)
            is_last = done == segment.count
            is_changed = is_last and (cutter.check != scan.checks[index] or self._file.stamp() != scan.stamp)
            if not lines or is_changed:
                raise _changed_error(name, segment.number)
            yield encode_lines(lines, joined)

    def share(self) -> ScannedLines:
        """Return the same lines on a descriptor of their own, without scanning again; whoever gets them closes them."""
        return ScannedLines(self._file.share(), self._scan)

    def close(self) -> None:
        """Close the file; a temporary copy is removed when all that share it have."""
        self._file.close()


class LineSource(ScannedLines):
    """The lines of a file as values: any bytes but newline, each at most 1 MiB; the last newline is optional."""

    def __init__(self, path: str, *, segment_values: int, stop: StopRequest) -> None:
        """Open and scan the file; `-` is standard input. Offset and checksum of each segment are kept, 16 bytes each.

        Raises InvalidInputError if the file can't be read, changes meanwhile, is empty, or has a line over 1 MiB.
        """
        file = LineFile.open(path, stop)
        try:
            super().__init__(file, LineScan(file, segment_values=segment_values, stop=stop))
        except BaseException:
            file.close()
            raise


def _changed_error(name: str, segment: int | None = None) -> InvalidInputError:
    """Return that a file is another than at the scan, and in which segment that was found."""
    expected = "the file as it was scanned" if segment is None else f"segment {segment} as it was scanned"
    return InvalidInputError(where=name, expected=expected, got="a file that changed since")
