"""The two programs as processes: started with their documented options, their output kept until it is asked for.

Output goes to temporary files. Pipes were rejected: somebody would have to read two of them for each process all the
time, or a program that says much would stand still.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO

from demo.parent import ending_with_us


def program_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what configures the programs, such as `SERVER_A_COUNT`."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("SERVER_A_", "SERVER_B_", "OTEL_")) and name != "REDIS_URL"
    }


class Program:
    """`server-a` or `server-b` as a process of ours, run by the Python that runs us.

    It has a session of its own, so that Ctrl-C reaches us alone and we decide who ends. On Linux it is killed when the
    thread that started it ends.

    Attributes:
        name: `server-a` or `server-b`.
        arguments: What stands after the name.
    """

    def __init__(
        self, name: str, *arguments: str, environment: Mapping[str, str], stdin: IO[bytes] | None = None
    ) -> None:
        """Start it.

        Args:
            name: `server-a` or `server-b`.
            arguments: Subcommand and options.
            environment: All of its environment; see `program_environment`.
            stdin: A file to read from; nothing when absent.
        """
        self.name = name
        self.arguments = arguments
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - the same
        self._process = subprocess.Popen(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            stdin=stdin or subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and threads don't start programs
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int:
        """Its exit code as a shell gives it, 128 and the signal's number when a signal ended it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    @property
    def ending(self) -> str:
        """How it ended, as the rest of a sentence."""
        code = self._process.wait()
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    def output(self) -> str:
        """Return what it has written to stdout so far."""
        return _content(self._stdout)

    def errors(self) -> str:
        """Return what it has written to stderr so far."""
        return _content(self._stderr)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return `exit_code`.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        self._process.wait(timeout_s)
        return self.exit_code

    def send(self, signal_number: int) -> None:
        """Send it a signal; nothing happens when it has ended."""
        self._process.send_signal(signal_number)

    def close(self) -> None:
        """Kill it if it still runs, wait for that, and let its output go; may be called twice."""
        self._process.kill()
        self._process.wait()
        self._stdout.close()
        self._stderr.close()


def _content(file: IO[bytes]) -> str:
    """Return all of a file, leaving its position alone: the process writes at the same one."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="backslashreplace")
