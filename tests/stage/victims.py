"""A program that a link kills at a chosen request."""

from __future__ import annotations

import signal

from demo.processes import Program


class Victim:
    """A program that the link kills."""

    def __init__(self) -> None:
        """Wait for the program."""
        self.program: Program | None = None

    def kill(self) -> None:
        """Kill it, and wait for its end: whatever the link does next, the program is gone."""
        assert self.program is not None
        self.program.send(signal.SIGKILL)
        self.program.wait(10)
