"""Links to the primary, each a process: server-a's, that of both server-b, and the page's own.

What a link leads to can be changed, so a URL stays the same when another server is promoted, as a virtual address or a
DNS name does it. Sentinels were rejected: three more processes that say nothing a user of the stage looks at.
"""

from __future__ import annotations

import os
import subprocess
import sys

from demo.parent import ending_with_us
from demo.processes import program_environment


class Link:
    """One link; killed with us on Linux, and elsewhere it ends with our end of its standard input.

    Attributes:
        port: Where clients connect.
    """

    def __init__(self, server_port: int, *, bytes_per_s: int = 0) -> None:
        """Start it and wait until it listens.

        Args:
            server_port: The primary's.
            bytes_per_s: What each direction carries, for all connections together; 0 without a limit.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo.stage.link_process", str(server_port), str(bytes_per_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=program_environment(os.environ),
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and the director's thread lives as long
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or 0)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def lead_to(self, server_port: int) -> None:
        """Lead new connections to another server."""
        self._say(f"to {server_port}")

    def delay(self, delay_ms: float) -> None:
        """Add so much to each round trip from now on."""
        self._say(f"delay {delay_ms / 1_000}")

    def cut(self) -> None:
        """Close all connections and each new one."""
        self._say("cut")

    def join(self) -> None:
        """Carry again."""
        self._say("join")

    def close(self) -> None:
        """Kill the process and wait for that; may be called twice."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), f"{line}\n".encode())
