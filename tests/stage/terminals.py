"""Programs whose stderr, or both outputs, are a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from demo.parent import ending_with_us
from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of

_READ_BYTES = 65_536
_END_S = 60.0


def run_on_terminal(
    name: Name, *arguments: str, server: Server | str, namespace: str, with_stdout: bool = False
) -> Finished:
    """Run a program to its end with a terminal as its stderr.

    Args:
        name: `server-a` or `server-b`.
        arguments: Subcommand and options.
        server: A server or the URL of one.
        namespace: For its namespace variable.
        with_stdout: Whether stdout is the same terminal; all that is written there counts as stderr then.
    """
    ours, theirs = pty.openpty()
    written: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(ours, written.append), daemon=True)
    try:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=theirs if with_stdout else subprocess.PIPE,
            stderr=theirs,
            env={**environment_of(name, server=server, namespace=namespace, env=None), "TERM": "xterm"},
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and the thread has not started yet
        )
    finally:
        os.close(theirs)
    reader.start()
    try:
        stdout, _ = process.communicate(timeout=_END_S)
    finally:
        process.kill()
        process.wait()
        reader.join(_END_S)
        os.close(ours)
    return Finished(process.returncode, stdout or b"", b"".join(written))


def _read_all(terminal: int, take: Callable[[bytes], object]) -> None:
    """Read what is written on a terminal until nobody has it open any more, which Linux says by an error."""
    try:
        while piece := os.read(terminal, _READ_BYTES):
            take(piece)
    except OSError:
        return
