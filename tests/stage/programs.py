"""The two programs as processes, as users run them: `run_program` to the end, `start_program` in the background.

Their environment is ours without everything that would configure them, plus what the test gives.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

from demo.parent import ending_with_us
from demo.processes import Program, program_environment
from demo.servers import Server

Name = Literal["server-a", "server-b"]


@dataclass(frozen=True)
class Finished:
    """A program that has ended.

    Attributes:
        exit_code: As a shell gives it: 128 and the signal's number when a signal ended it.
        stdout_bytes: What it wrote to stdout.
        stderr_bytes: What it wrote to stderr.
    """

    exit_code: int
    stdout_bytes: bytes
    stderr_bytes: bytes

    @property
    def stdout(self) -> str:
        """What it wrote to stdout, as text."""
        return self.stdout_bytes.decode(errors="backslashreplace")

    @property
    def stderr(self) -> str:
        """What it wrote to stderr, as text."""
        return self.stderr_bytes.decode(errors="backslashreplace")

    def json(self) -> Any:
        """What it wrote to stdout, which must be one JSON document."""
        return json.loads(self.stdout_bytes)


class StartProgram(Protocol):
    """Start a program in the background; it is killed after the test if it still runs."""

    def __call__(
        self,
        name: Name,
        *arguments: str,
        server: Server | str | None = None,
        namespace: str = "",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Program:
        """Start it; the arguments are those of `run_program`. Not from a thread that ends before the program."""


def run_program(
    name: Name,
    *arguments: str,
    server: Server | str | None = None,
    namespace: str = "",
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float = 60.0,
) -> Finished:
    """Run a program to its end.

    Args:
        name: `server-a` or `server-b`.
        arguments: Subcommand and options.
        server: A server, or the URL of one, that the program's own URL variable names; none when absent.
        namespace: For its namespace variable.
        env: More variables, which win.
        stdin: What it reads; nothing when absent.
        timeout_s: When to kill it.

    Raises:
        subprocess.TimeoutExpired: It was killed.
    """
    ended = subprocess.run(
        [sys.executable, "-m", name.replace("-", "_"), *arguments],
        input=stdin or b"",
        capture_output=True,
        env=environment_of(name, server=server, namespace=namespace, env=env),
        timeout=timeout_s,
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
    return Finished(exit_code=code, stdout_bytes=ended.stdout, stderr_bytes=ended.stderr)


def environment_of(
    name: Name, *, server: Server | str | None, namespace: str, env: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the environment for a program; see `run_program`."""
    prefix = name.replace("-", "_").upper()
    environment = program_environment(os.environ)
    if server is not None:
        environment[f"{prefix}_REDIS_URL"] = server if isinstance(server, str) else server.url
    if namespace:
        environment[f"{prefix}_NAMESPACE"] = namespace
    return {**environment, **(env or {})}


@pytest.fixture
def start_program(session_directory: Path) -> Iterator[StartProgram]:
    """Start `server-a` or `server-b` in the background, killed after the test at the latest."""
    programs: list[Program] = []

    def start(
        name: Name,
        *arguments: str,
        server: Server | str | None = None,
        namespace: str = "",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Program:
        environment = environment_of(name, server=server, namespace=namespace, env=env)
        with tempfile.TemporaryFile() as file:
            file.write(stdin or b"")
            file.seek(0)
            program = Program(name, *arguments, environment=environment, stdin=file)
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.close()
