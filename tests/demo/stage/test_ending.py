"""The stage as a user starts and ends it: nothing outlives it, and what is in the way is one sentence."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stage.demo_stage import Stage
from tests.stage.leftovers import processes_of
from tests.stage.servers import binary
from tests.stage.stage_page import COMMAND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left running is found through /proc")

_PARENT = """
import os, subprocess, sys
subprocess.run([*sys.argv[1:], "--end-with-parent", str(os.getpid())])
"""
IS_UP = "Ctrl-C ends all of it."


@pytest.fixture
def stage(session_directory: Path) -> Iterator[Stage]:
    """A stage that is not started yet; killed at the end, with all it started."""
    binary("valkey9")
    started = Stage(Path(tempfile.mkdtemp(dir=session_directory)))
    yield started
    for pid in processes_of(started.directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if started.process:
        started.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_stop_ends_all_of_it(stage: Stage, number: signal.Signals) -> None:
    process = stage.start(*COMMAND)
    stage.wait_until_printed(IS_UP)
    stage.find("-m server_a")
    process.send_signal(number)
    assert process.wait(60) == 0
    assert stage.is_empty()
    assert stage.stderr == ""
    assert [path for path in stage.directory.iterdir() if path.name.startswith("handover-")] == []


def test_nothing_outlives_a_stage_that_is_killed(stage: Stage) -> None:
    process = stage.start(*COMMAND)
    stage.wait_until_printed(IS_UP)
    stage.find("-m server_a")
    process.kill()
    process.wait()
    stage.wait_until_empty()


def test_a_stage_of_make_ends_when_make_is_killed(stage: Stage) -> None:
    make = stage.start(sys.executable, "-c", _PARENT, *COMMAND)
    stage.wait_until_printed(IS_UP)
    make.kill()
    make.wait()
    stage.wait_until_empty()


def test_a_server_that_somebody_else_ends_ends_the_stage(stage: Stage) -> None:
    process = stage.start(*COMMAND)
    stage.wait_until_printed(IS_UP)
    os.kill(stage.find("valkey-server"), signal.SIGKILL)
    assert process.wait(60) == 69
    assert stage.stderr == "stage: a server or link of the stage was ended by somebody else\n"
    assert stage.is_empty()


def test_a_port_that_is_taken_is_one_sentence(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = stage.start(*COMMAND, "--listen", address)
        assert process.wait(60) == 2
    assert stage.stderr == f"stage: --listen {address}: expected an address to listen at, got Address already in use\n"
    assert stage.stdout == ""
    assert stage.is_empty()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080", "example.org:80"])
def test_it_listens_on_loopback_alone(stage: Stage, address: str) -> None:
    assert stage.start(*COMMAND, "--listen", address).wait(60) == 2
    assert stage.stderr.startswith("stage: --listen: expected an address of loopback, such as 127.0.0.1:8080, got ")
    assert stage.is_empty()


@pytest.mark.parametrize("options", [("--lisen", "x"), ("--every", "0"), ("--every", "x")])
def test_bad_arguments_are_one_sentence(stage: Stage, options: tuple[str, str]) -> None:
    assert stage.start(*COMMAND, *options).wait(60) == 2
    assert stage.stderr.startswith("stage: ")
    assert len(stage.stderr.splitlines()) == 1
