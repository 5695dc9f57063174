"""Lines of 6 to 12 bytes, as a file for server-a and as what a raw socket sends and awaits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from bench.product import segment_keys
from bench.raw import BATCH_VALUES, Request, encode


class Lines:
    """The same lines in a temporary file and as requests.

    Attributes:
        count: How many there are.
        path: The file.
        pushes: LPUSHes that write them, 1,000 a command.
        reads: LRANGEs that read them from the head, 1,000 a command.
    """

    def __init__(self, count: int) -> None:
        """Make them."""
        self.count = count
        self.pushes: list[Request] = []
        self.reads: list[Request] = []
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by `close`
        self.path = self._file.name
        for key, (first, end) in segment_keys(count).items():
            reads: list[Request] = []
            for start in range(first, end, BATCH_VALUES):
                lines = list(_lines(start, min(start + BATCH_VALUES, end)))
                self._file.write(b"\n".join(lines) + b"\n")
                after = start - first + len(lines)
                self.pushes.append(Request(encode("LPUSH", key, *lines), len(b":%d\r\n" % after)))
                newest = end - first - after  # index of the newest of these lines
                reply = encode(*lines)  # an array of bulk strings, as a command is
                reads.append(Request(encode("LRANGE", key, newest, newest + len(lines) - 1), len(reply)))
            self.reads += reversed(reads)
        self._file.flush()

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def _lines(first: int, end: int) -> Iterator[bytes]:
    for number in range(first, end):
        scattered = number * 0x9E3779B97F4A7C15 % (1 << 48)
        yield (b"%012x" % scattered)[: 6 + scattered % 7]
