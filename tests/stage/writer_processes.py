"""The writer processes of a server-a that runs, found by who their parent is. Only Linux tells us."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from demo.processes import Program
from tests.stage.waiting import wait_until


def writers_of(program: Program) -> list[int]:
    """Return the process ids of the writers that a server-a has started, those that run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
            if parent == program.pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def wait_for_writers(program: Program, count: int) -> list[int]:
    """Wait until a server-a has so many writers, and return their process ids."""
    found: list[int] = []

    def has_all() -> bool:
        found[:] = writers_of(program)
        return len(found) == count

    wait_until(has_all, description=f"server-a has {count} writers")
    return found
