"""SIGTERM as pid 1 of a container, where the kernel protects a process: each command ends, whatever it waits for."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.parent import ending_with_us
from tests.stage.programs import Name, environment_of
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[3]
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
    program = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", name.replace("-", "_"), *arguments],
        cwd=ROOT,
        env=environment_of(name, server=url, namespace="", env=None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and no thread starts programs
    )
    connection, _ = silent.accept()  # it has connected, and waits for the answer to what it sends
    with connection:
        assert connection.recv(1024)
        child = int(Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()[0])
        subprocess.run(["kill", f"-{int(number)}", str(child)], check=True)
        wait_until(lambda: program.poll() is not None, description="it has ended")
        _, errors = program.communicate()
    assert "Traceback" not in errors
    assert program.returncode == 128 + number, "69 after the socket's time-out, had it been lost"
