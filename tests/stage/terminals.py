"""Programs whose stderr, or both outputs, are a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from typing import Any

from demo.parent import ending_with_us
from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of

_READ_BYTES = 65_536
_END_S = 60.0


def run_on_terminal(
    name: Name,
    *arguments: str,
    server: Server | str,
    namespace: str,
    with_stdout: bool = False,
    columns: int = 80,
    env: Mapping[str, str] | None = None,
    watch: Callable[[bytes], object] = len,
    interrupt_at: bytes = b"",
) -> Finished:
    """Run a program to its end with a terminal as its stderr.

    Args:
        name: `server-a` or `server-b`.
        arguments: Subcommand and options.
        server: A server or the URL of one.
        namespace: For its namespace variable.
        with_stdout: Whether stdout is the same terminal; all that is written there counts as stderr then.
        columns: How wide the terminal is; it has 24 rows.
        env: More variables; without one for TERM that is `xterm`.
        watch: Gets all that is written so far, whenever there is more, in a thread of its own.
        interrupt_at: What it writes last: then it gets a SIGINT, as by Ctrl-C.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written: list[bytes] = []

    def take(piece: bytes) -> None:
        written.append(piece)
        text = b"".join(written)
        watch(text)
        if interrupt_at and interrupt_at in text and interrupt_at not in text[: -len(piece)]:
            process.send_signal(signal.SIGINT)

    environment = {**environment_of(name, server=server, namespace=namespace, env=None), "TERM": "xterm", **(env or {})}
    reader = threading.Thread(target=_read_all, args=(ours, take), daemon=True)
    try:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=theirs if with_stdout else subprocess.PIPE,
            stderr=theirs,
            env=environment,
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


def drawn_lines(text: str) -> list[str]:
    """Return what was drawn on the terminal's last line, one after the other."""
    return [line.rstrip() for line in re.findall(r"\r\x1b\[K([^\r\n\x1b]+)", text)]
