"""The two programs as processes: what they say their work took, and how soon they are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import click

from demo.processes import Program, program_environment
from server_a.cli import group as server_a_group
from server_a.run.settings import DEFAULT_SEGMENT_VALUES
from server_b.cli import group as server_b_group
from shared.program.group import all_commands

_PATIENCE_S = 600.0


def write_s(url: str, count: int, *, segment_values: int = DEFAULT_SEGMENT_VALUES) -> float:
    """Have server-a write the numbers 1 to count and return its `write_s`."""
    sizes = ("--count", str(count), "--segment-values", str(segment_values))
    return float(reported("server-a", "run", "--url", url, *sizes, "--json")["write_s"])


def read_s(url: str) -> float:
    """Have server-b read and verify the newest run and return its `read_s`."""
    return float(reported("server-b", "run", "--url", url, "--once", "--wait-s", "60", "--json")["read_s"])


def reported(name: str, *arguments: str) -> dict[str, Any]:
    """Run a program and return the JSON object it printed.

    Raises:
        RuntimeError: It ended with another exit code than 0.
    """
    with closing(Program(name, *arguments, environment=program_environment(os.environ))) as program:
        if program.wait(_PATIENCE_S) != 0:
            raise RuntimeError(f"{name} {program.ending}: {program.errors()}")
        report: dict[str, Any] = json.loads(program.output())
        return report


def has_option(module: str, option: str) -> bool:
    """Return whether the help of a program's `run` names an option."""
    command = [sys.executable, "-m", module, "run", "--help"]
    help_text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"{option} " in help_text


def commands() -> list[tuple[str, ...]]:
    """Return every command of both programs, as module and subcommands."""
    groups = {"server_a": server_a_group, "server_b": server_b_group}
    return [path for module, group in groups.items() for path in _paths((module,), group)]


def _paths(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, below in all_commands(command).items():
            yield from _paths((*path, name), below)


def help_s(path: tuple[str, ...]) -> float:
    """Return the seconds until a command's `--help` has been printed and the process is gone."""
    return _process_s("-m", *path, "--help")


def bare_python_s() -> float:
    """Return the seconds that a Python takes which does nothing."""
    return _process_s("-c", "pass")


def import_s(libraries: Sequence[str]) -> float:
    """Return the seconds that a Python takes which only imports some libraries."""
    return _process_s("-c", f"import {', '.join(libraries)}" if libraries else "pass")


def command_s(command: Sequence[str]) -> float:
    """Return the seconds that a whole command takes, given as module and arguments."""
    return _process_s("-m", *command, allowed=(0, 75))  # 75: `status` between server-a's run and server-b's


def _process_s(*arguments: str, allowed: Sequence[int] = (0,)) -> float:
    environment = program_environment(os.environ)
    started = time.perf_counter()
    ended = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, env=environment)
    took_s = time.perf_counter() - started
    if ended.returncode not in allowed:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {ended.returncode}: {ended.stderr.decode()}")
    return took_s
