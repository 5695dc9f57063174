"""Pipes where files are meant: whoever never writes to one is not waited for against a signal, in any command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from demo.servers import Server
from tests.stage.hand_over_by_programs import verify
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.servers import NewServer
from tests.stage.waiting import wait_until

SECRET = "s3cr7t9"
COMMANDS: list[tuple[Name, tuple[str, ...]]] = [
    ("server-a", ("run",)),
    ("server-a", ("check",)),
    ("server-a", ("user", "list")),
    ("server-b", ("run", "--once")),
    ("server-b", ("page",)),
    ("server-b", ("status", "--watch")),
]
OF_PEERS: list[tuple[Name, tuple[str, ...]]] = [("server-a", ("check",)), ("server-b", ("page",))]
OPTIONS = {
    "--password-file": ("redis://127.0.0.1:1/0", COMMANDS),
    "--tls-ca": ("rediss://127.0.0.1:1/0", COMMANDS),
    "--sentinel-password-file": ("redis+sentinel://127.0.0.1:1/group", COMMANDS[:1]),
    "--peer-password-file": ("redis://127.0.0.1:1/0", OF_PEERS),
}
CASES = [(option, url, *command) for option, (url, commands) in OPTIONS.items() for command in commands]


class SilentPipe:
    """A named pipe; as a writer this test says nothing."""

    def __init__(self, path: Path) -> None:
        """Make it."""
        self.path = path
        self._writers: list[int] = []
        os.mkfifo(path)

    def is_awaited(self) -> bool:
        """Tell whether somebody has opened it for reading; from then on it has a writer."""
        try:
            self._writers.append(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def is_open_in(self, pid: int) -> bool:
        """Tell whether a process has it open."""
        with suppress(OSError):  # a descriptor that was closed meanwhile
            return any(file.resolve() == self.path for file in Path(f"/proc/{pid}/fd").iterdir())
        return False

    def close(self) -> None:
        """Close our ends."""
        for writer in self._writers:
            os.close(writer)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[SilentPipe]:
    opened = SilentPipe(tmp_path / "pipe")
    yield opened
    opened.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("option", "url", "name", "command"), CASES)
def test_a_signal_ends_a_command_that_waits_for_a_pipe(
    *,
    option: str,
    url: str,
    name: Name,
    command: tuple[str, ...],
    number: int,
    pipe: SilentPipe,
    start_program: StartProgram,
) -> None:
    peer = ("--peer-url", "redis://127.0.0.1:2/0") if option.startswith("--peer") else ()
    program = start_program(name, *command, "--url", url, *peer, option, str(pipe.path))
    wait_until(pipe.is_awaited, description=f"{name} opens the pipe")
    program.send(number)
    assert program.wait(60) == 128 + number


@pytest.mark.skipif(sys.platform != "linux", reason="what it has opened is read from /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_producer_that_waits_for_values_ends_on_a_signal(
    number: int, pipe: SilentPipe, valkey9: Server, namespace: str, start_program: StartProgram
) -> None:
    program = start_program("server-a", "run", "--values", str(pipe.path), server=valkey9, namespace=namespace)
    wait_until(lambda: pipe.is_open_in(program.pid), description="server-a opens the pipe, which has no writer")
    program.send(number)
    assert program.wait(60) == 75
    assert "Traceback" not in program.errors()


def test_values_from_a_pipe_that_is_written_to_later(tmp_path: Path, valkey9: Server, namespace: str) -> None:
    path = tmp_path / "values"
    os.mkfifo(path)
    writer = Thread(target=lambda: path.write_text("a\nb\nc\n"), daemon=True)
    writer.start()
    ended = run_program("server-a", "run", "--values", str(path), "--json", server=valkey9, namespace=namespace)
    assert ended.json()["count"] == 3
    writer.join(10)


def test_explain_refuses_a_pipe_at_once(tmp_path: Path, valkey9: Server, namespace: str) -> None:
    path = tmp_path / "values"
    os.mkfifo(path)
    run_id = "20261122T205801123Z-3f9a1c"
    ended = run_program("server-b", "explain", run_id, "--values", str(path), server=valkey9, namespace=namespace)
    assert (ended.exit_code, "read twice" in ended.stderr) == (2, True)


@pytest.mark.parametrize("writers", ["1", "3"])
def test_all_writers_log_in_with_a_password_that_came_through_a_pipe(
    writers: str, tmp_path: Path, new_server: NewServer
) -> None:
    """Each process of a writer opened the pipe again, which was empty by then, or not there at all."""
    server = new_server("valkey9", "--requirepass", SECRET)
    path = tmp_path / "password"
    os.mkfifo(path)
    writer = Thread(target=lambda: path.write_text(f"{SECRET}\n"), daemon=True)
    writer.start()
    options = ("--count", "4000", "--segment-values", "1000", "--writers", writers)
    ended = run_program("server-a", "run", *options, "--json", "--password-file", str(path), server=server)
    assert ended.exit_code == 0, ended.stderr
    verify(server.url.replace("//", f"//:{SECRET}@"), "", ended.json()["run_id"])
    writer.join(10)
