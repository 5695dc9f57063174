"""SIGTERM as pid 1 of a container, where the kernel protects a process: each command ends, whatever it waits for."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from demo.parent import ending_with_us
from shared.endpoint.settings import SOCKET_TIMEOUT_S
from tests.stage.programs import Name, environment_of
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[3]
MAX_TRIES = 3
COMMANDS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("purge", "--yes")),
    ("server-a", ("purge", "--dry-run")),
    ("server-a", ("status",)),
    ("server-a", ("user", "list")),
    ("server-a", ("sku", "list")),
    ("server-a", ("cart", "show", "1")),
    ("server-a", ("check",)),
    ("server-b", ("read",)),
    ("server-b", ("status",)),
    ("server-b", ("dead", "list")),
    ("server-b", ("check",)),
]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize(("name", "arguments"), COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_waits_for_a_server_ends_as_pid_1(
    silent: socket.socket, name: Name, arguments: tuple[str, ...], number: signal.Signals
) -> None:
    url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
    for _ in range(MAX_TRIES):
        began_s = time.monotonic()
        program = start_as_pid_1(name, arguments, url)
        connection, _ = silent.accept()  # it has connected, and waits for the answer to what it sends
        with connection:
            assert connection.recv(1024)
            send_to_child(program.pid, number)
            was_in_time = time.monotonic() - began_s < SOCKET_TIMEOUT_S
            wait_until(lambda: program.poll() is not None, description="it has ended")  # noqa: B023 - asked at once
            _, errors = program.communicate()
        assert "Traceback" not in errors
        if was_in_time or program.returncode != 69:
            assert program.returncode == 128 + number, "69 after the socket's time-out, had it been lost"
            return
    pytest.fail(f"this process was held up for longer than the socket's time-out, {MAX_TRIES} times")


def start_as_pid_1(name: Name, arguments: tuple[str, ...], url: str) -> subprocess.Popen[str]:
    """Start a command as pid 1 of a namespace of its own."""
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", name.replace("-", "_"), *arguments],
        cwd=ROOT,
        env=environment_of(name, server=url, namespace="", env=None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and no thread starts programs
    )


def send_to_child(pid: int, number: signal.Signals) -> None:
    """Send a signal to the child of a process, unless both have ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            subprocess.run(["kill", f"-{int(number)}", child], check=False)
