"""A file of lines that can be read again, at any place, by several threads and processes at once.

Input that can be read only once (standard input, a pipe) is first copied to a temporary file. Opening a path again in
each process was rejected: another file may have its name by then, and a temporary copy has no name.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from shared.endpoint.given_files import open_at_once
from shared.errors import InvalidInputError
from shared.segments import MAX_VALUE_BYTES
from shared.stopping import StopRequest

_COPY_BYTES = 1024 * 1024


class LineFile:
    """An open file, or the copy of input that can be read only once, which is removed when its last sharer closes it.

    Every read names its place, because descriptors that were shared have one file position between them.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self._file = file

    @classmethod
    def open(cls, path: str, stop: StopRequest) -> LineFile:
        """Open a regular file, or copy anything else; `-` is standard input.

        Raises InvalidInputError if it can't be read or copied, or when a line of what is copied is over 1 MiB.
        """
        try:
            if path == "-":
                return cls(path, _copied(sys.stdin.buffer, path, stop))
            if Path(path).is_file():
                return cls(path, Path(path).open("rb"))
            # a named pipe that nobody writes to yet would be waited for here, deaf to a stop request
            with os.fdopen(open_at_once(path), "rb") as pipe:
                return cls(path, _copied(pipe, path, stop))
        except OSError as error:
            raise _unreadable(path, error) from error

    def read(self, size: int, start: int) -> bytes:
        """Return at most so many bytes from a place in the file, none only behind its end."""
        try:
            return os.pread(self._file.fileno(), size, start)
        except OSError as error:
            raise _unreadable(self.name, error) from error

    def stamp(self) -> tuple[int, int]:
        """Return size and time of the last change, which tell most changes without reading."""
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def share(self) -> LineFile:
        """Return the same file on a descriptor of its own, for another thread or process to use and close."""
        return _of_descriptor(self.name, os.dup(self._file.fileno()))

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        self._file.close()

    def __reduce__(self) -> tuple[Callable[..., LineFile], tuple[str, object]]:
        """Pickle for `multiprocessing`, which carries the descriptor to the process that it starts."""
        from multiprocessing.reduction import DupFd  # takes time to import, and is for several writers only

        return _of_carried, (self.name, DupFd(self._file.fileno()))


def _of_descriptor(name: str, descriptor: int) -> LineFile:
    return LineFile(name, open(descriptor, "rb"))


def _of_carried(name: str, carried: object) -> LineFile:
    return _of_descriptor(name, carried.detach())  # type: ignore[attr-defined]


def raise_too_long(name: str, number: int) -> NoReturn:
    """Refuse a line by its number."""
    where, expected = f"{name} line {number}", "at most 1 MiB (1,048,576 bytes)"
    raise InvalidInputError(where=where, expected=expected, got="a longer one")


def _copied(file: BinaryIO, name: str, stop: StopRequest) -> BinaryIO:
    """Copy input to a temporary file; a line that is too long ends that before it fills the disk."""
    with ExitStack() as closed_on_error:
        copy = closed_on_error.enter_context(tempfile.TemporaryFile())
        number, begun = 1, 0  # the line that has begun, and its bytes so far
        while True:
            stop.wait_for_input(file)  # ends also at a stop request, which a read would not
            stop.check(name)
            try:
                piece = os.read(file.fileno(), _COPY_BYTES)
            except BlockingIOError:  # another reader was faster
                continue
            newline = piece.find(b"\n")
            if begun + (len(piece) if newline < 0 else newline) > MAX_VALUE_BYTES:
                raise_too_long(name, number)
            number += piece.count(b"\n")
            begun = begun + len(piece) if newline < 0 else len(piece) - piece.rfind(b"\n") - 1
            try:
                copy.write(piece)
                if not piece:
                    copy.flush()
                    break
            except OSError as error:
                got, advice = _reason(tempfile.gettempdir(), error), "name a larger folder with TMPDIR, or give a file"
                expected = "room for a copy of input that can be read only once"
                raise InvalidInputError(where="--values", expected=expected, got=got, advice=advice) from error
        closed_on_error.pop_all()
    return cast("BinaryIO", copy)


def _unreadable(path: str, error: OSError) -> InvalidInputError:
    return InvalidInputError(where="--values", expected="a file that can be read", got=_reason(path, error))


def _reason(path: str, error: OSError) -> str:
    return f"{path}: {error.strerror or error}"
