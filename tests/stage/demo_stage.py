"""The demo as a process, and what it started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from demo.processes import program_environment
from tests.stage.leftovers import processes_of
from tests.stage.waiting import wait_until


class Stage:
    """One demo, with a directory that everything it starts can be found by."""

    def __init__(self, directory: Path) -> None:
        """Start nothing yet."""
        self.directory = directory
        self._stdout = directory / "stdout"
        self._stderr = directory / "stderr"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command that is, or starts, a demo."""
        environment = {**program_environment(os.environ), "TMPDIR": str(self.directory)}
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
        return self.process

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        """What it has complained about so far."""
        return self._stderr.read_text()

    def find(self, part: str) -> int:
        """Wait for a process whose command line has this part, and return its id."""
        found: list[int] = []

        def look() -> list[int]:
            found[:] = [pid for pid, command in processes_of(self.directory).items() if part in command]
            return found

        wait_until(look, description=f"a process {part!r} runs; it said {self.stdout} {self.stderr}")
        return found[0]

    def wait_until_printed(self, text: str) -> None:
        """Wait until the demo has printed a text."""
        wait_until(
            lambda: text in self.stdout, description=f"{text!r} is printed; {self.stdout} {self.stderr}", timeout_s=100
        )

    def is_empty(self) -> bool:
        """Return whether nothing runs any more."""
        return not processes_of(self.directory)

    def wait_until_empty(self) -> None:
        """Wait until nothing runs any more."""
        wait_until(self.is_empty, description="nothing is left running")
