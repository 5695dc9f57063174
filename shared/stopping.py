"""Stop requests: the first SIGTERM or SIGINT asks, the second ends at once.

The handler only sets a flag and wakes who waits. Raising from a handler was rejected: the exception could land between
a command and its reply, which is where a program must not be interrupted.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from shared.errors import NotFinishedError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether somebody asked this program to stop, and a wait that such a request ends."""

    def __init__(self) -> None:
        """Start without a request."""
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self.signal_number = 0

    @property
    def is_requested(self) -> bool:
        """Whether a stop was requested."""
        return self.signal_number != 0

    def request(self, signal_number: int = signal.SIGTERM) -> None:
        """Ask for the stop; may be called from a signal handler."""
        self.signal_number = signal_number
        os.write(self._write_fd, b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait, at most so many seconds, for a stop request; return whether there is one."""
        if not self.is_requested:
            select.select([self._read_fd], [], [], max(0.0, seconds))
        return self.is_requested

    def wait_for_input(self, file: IO[bytes]) -> None:
        """Wait until a file has something to read, or its end, or there is a stop request."""
        select.select([self._read_fd, file.fileno()], [], [])

    def check(self, what: str) -> None:
        """End what is under way, if somebody asked for it.

        Args:
            what: Such as `run 20261122T205801123Z-3f9a1c`.

        Raises:
            NotFinishedError: A stop was requested.
        """
        if self.is_requested:
            raise NotFinishedError(where=what, expected="to finish", got="a stop request")

    def close(self) -> None:
        """Give the pipe's descriptors back."""
        os.close(self._read_fd)
        os.close(self._write_fd)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a stop request for the time of the block, then restore the handlers."""
    stop = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_requested:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        else:
            stop.request(number)

    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        stop.close()
