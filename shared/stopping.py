"""Stop requests: the first SIGTERM or SIGINT asks the program to stop, the second ends it at once.

The handler only sets a flag and wakes waiting code. Raising from the handler was rejected, because the exception could
interrupt us between a command and its reply.
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
from shared.starting import end_by_signal

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether somebody asked this program to stop, and waits that such a request ends."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self.signal_number = 0

    @property
    def is_requested(self) -> bool:
        """Whether a stop was requested."""
        return self.signal_number != 0

    def request(self, signal_number: int = signal.SIGTERM) -> None:
        """Request a stop; may be called from a signal handler."""
        self.signal_number = signal_number
        os.write(self._write_fd, b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds for a stop request, and return whether there is one."""
        if not self.is_requested:
            self._poll(max(0.0, seconds) * 1_000)
        return self.is_requested

    def wait_for_input(self, file: IO[bytes]) -> None:
        """Wait until a file has something to read or ends, or there is a stop request."""
        self._poll(None, file.fileno())

    def _poll(self, wait_ms: float | None, *others: int) -> None:
        """Wait for our pipe or another descriptor; `select` fails where many are open, from number 1,024 on."""
        poll = select.poll()
        for number in (self._read_fd, *others):
            poll.register(number, select.POLLIN)
        poll.poll(wait_ms)

    def check(self, what: str) -> None:
        """Raise NotFinishedError if a stop was requested, with `what` that ends, such as `run <run_id>`."""
        if self.is_requested:
            raise NotFinishedError(where=what, expected="to finish", got="a stop request")

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._read_fd)
        os.close(self._write_fd)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a stop request during the block, then restore the handlers."""
    stop = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_requested:
            end_by_signal(number)
        else:
            stop.request(number)

    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        stop.close()
