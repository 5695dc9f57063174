"""The programs on the stage: one server-a, two server-b, each started again when it has ended.

As a service manager would start them, with one thing more: a run of server-a that was broken off is resumed first.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.processes import Program, program_environment
from demo.stage.buttons import CLAIM_IDLE_MS

COUNT, SEGMENT_VALUES = 100_000, 10_000
RESTART_S = 1.0
QUICK_S = 3.0
MOST_QUICK_ENDS = 5

RUN = (
    "run", "--count", f"{COUNT}", "--segment-values", f"{SEGMENT_VALUES}", "--writers", "1",
    "--retain-days", "1",
)  # fmt: skip
RESUME = ("run", "--await-verdict-s", "60", "--resume")
CONSUME = ("run", "--claim-idle-ms", f"{CLAIM_IDLE_MS}")


class StageError(Exception):
    """Why the stage can't go on, as one sentence."""


@dataclass
class Part:
    """A program that is played again and again.

    Attributes:
        arguments: Returns what to start it with.
        pause_s: Between a run that was resumed and the next one.
        is_frozen: Whether it is stopped by SIGSTOP, from us.
    """

    name: str
    url: str
    arguments: Callable[[], tuple[str, ...]]
    program: Program | None = None
    pause_s: float = RESTART_S
    is_frozen: bool = False
    start_at: float = 0.0
    _started_at: float = field(init=False, default=0.0)
    _quick_ends: int = field(init=False, default=0)

    @property
    def pid(self) -> int:
        """Its process, 0 while there is none."""
        return self.program.pid if self.program is not None and self.program.is_running else 0

    def tend(self) -> None:
        """Start it if it has ended and its time has come.

        Raises:
            StageError: It ended again and again as soon as it was started.
        """
        now = time.monotonic()
        if self.program is not None and not self.program.is_running:
            self._quick_ends = self._quick_ends + 1 if now - self._started_at < QUICK_S else 0
            if self._quick_ends >= MOST_QUICK_ENDS:
                said = self.program.errors().strip().splitlines()[-1:]
                raise StageError(" ".join([f"{self.name} {self.program.ending} again and again:", *said]))
            # A server-a that has ended by itself had resumed a run: the next one follows as after each run.
            pause_s = self.pause_s if self.program.arguments[: len(RESUME)] == RESUME else RESTART_S
            self.close()
            self.start_at = now + pause_s
        if self.program is None and now >= self.start_at:
            variable = f"{self.name.replace('-', '_').upper()}_REDIS_URL"
            environment = {**program_environment(os.environ), variable: self.url}
            self.program, self._started_at = Program(self.name, *self.arguments(), environment=environment), now

    def freeze(self) -> None:
        """Stop it where it stands."""
        if self.program is not None:
            self.program.send(signal.SIGSTOP)
            self.is_frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        if self.program is not None:
            self.program.send(signal.SIGCONT)
        self.is_frozen = False

    def kill(self) -> None:
        """Kill it as `kill -9` does; `tend` starts it again."""
        self.close()
        self.start_at = time.monotonic() + RESTART_S
        self._quick_ends, self.is_frozen = 0, False

    def close(self) -> None:
        """Kill it if it runs, and let its output go."""
        if self.program is not None:
            self.program.close()
        self.program = None


class Cast:
    """All programs."""

    def __init__(self, a_url: str, b_url: str, unfinished: Callable[[], str], *, every_s: float) -> None:
        """Start nothing yet; `unfinished` returns the id of a run that was broken off, or nothing."""
        run = (*RUN, "--every", f"{every_s:g}")

        def produce() -> tuple[str, ...]:
            run_id = unfinished()
            return (*RESUME, run_id) if run_id else run

        self.a = Part("server-a", a_url, produce, pause_s=every_s)
        self.consumers = [Part("server-b", b_url, lambda: CONSUME) for _ in range(2)]

    @property
    def parts(self) -> list[Part]:
        """All of them."""
        return [*self.consumers, self.a]

    def tend(self) -> None:
        """Start what has ended."""
        for part in self.parts:
            part.tend()

    def consumer(self, name: str) -> Part | None:
        """Return the server-b with this name in the group, if it runs and is not frozen: `<host>-<pid>-<4 hex>`."""
        pid = name.rsplit("-", 2)[-2:-1]
        return next((part for part in self.consumers if [f"{part.pid}"] == pid and not part.is_frozen), None)

    def close(self) -> None:
        """End all of them."""
        for part in self.parts:
            part.close()
