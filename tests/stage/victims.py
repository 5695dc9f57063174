"""A program that a link kills at a chosen request."""

from __future__ import annotations

import signal

from demo.processes import Program
from tests.stage.waiting import wait_until


class Victim:
    """A program that the link kills."""

    def __init__(self) -> None:
        """Wait for the program."""
        self.program: Program | None = None

    def there(self) -> Program:
        """Return the program; it may have sent something before whoever started it has noted it here."""
        wait_until(lambda: self.program, description="the program is known")
        assert self.program is not None
        return self.program

    def kill(self) -> None:
        """Kill it, and wait for its end: whatever the link does next, the program is gone."""
        program = self.there()
        program.send(signal.SIGKILL)
        program.wait(60)
