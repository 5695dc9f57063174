"""Waiting for processes and for stop requests at once, awake as soon as one of them does something.

Signals, the death of a child included, write to a pipe that we select on. Polling in short naps was rejected, since
each of the demo's eight commands would pay for half a nap; a thread for each process, since a process started by a
thread ends with it (see `demo.parent`).
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Watch:
    """Whether somebody asked us to stop, and a wait that ends when a child or a stop request comes.

    Attributes:
        stop_signal: The number of the signal that asked us to stop, 0 when none has.
    """

    def __init__(self) -> None:
        """Make the pipe that signals are noticed by."""
        self.stop_signal = 0
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self.write_fd, False)

    def wait(self, at_most_s: float | None = None) -> None:
        """Wait for the next signal, or so long at most; one that came since the last wait counts."""
        select.select([self._read_fd], [], [], at_most_s)
        with suppress(BlockingIOError):
            while os.read(self._read_fd, 512):
                pass

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Remember a stop request; a child's end needs only the wake-up that comes with every signal."""
        if number != signal.SIGCHLD:
            self.stop_signal = number

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._read_fd)
        os.close(self.write_fd)


@contextmanager
def watching() -> Iterator[Watch]:
    """Turn SIGINT, SIGTERM and SIGHUP into stop requests for the time of the block, then restore the handlers.

    A SIGHUP that is ignored, as under nohup, stays so.
    """
    watch = Watch()
    numbers = [signal.SIGCHLD, signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, watch.handle) for number in numbers}
    previous_fd = signal.set_wakeup_fd(watch.write_fd, warn_on_full_buffer=False)
    try:
        yield watch
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        watch.close()
