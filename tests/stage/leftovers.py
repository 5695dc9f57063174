"""Finding what a test left running.

Processes are found by the temporary directory they were given, which everything they start inherits: in their
environment, or, since servers overwrite theirs with a title, as where they work. Only Linux tells us; elsewhere none
are found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def processes_of(directory: Path) -> dict[int, str]:
    """Return the command lines of the processes, by id, whose TMPDIR or working directory lies in a directory.

    We ourselves are not among them, nor is what has ended without anybody having waited for it.
    """
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (entry / "environ").read_bytes().split(b"\0")
            directories = [variable[7:] for variable in environment if variable.startswith(b"TMPDIR=")]
            directories.append(os.fsencode((entry / "cwd").readlink()))
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="backslashreplace")
            if command and int(entry.name) != os.getpid() and _is_any_in(directories, directory):
                found[int(entry.name)] = command.strip()
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended but was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2][0] not in "ZX"
    return True


def _is_any_in(candidates: Iterable[bytes], directory: Path) -> bool:
    """Return whether any path lies in the directory."""
    return any(Path(os.fsdecode(candidate)).is_relative_to(directory) for candidate in candidates)
