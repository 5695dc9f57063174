"""What every test has: servers, programs, and a check that the session leaves no process behind.

The fixtures are in `tests.servers`, `tests.programs` and `tests.hand_over`; waiting is `tests.waiting.wait_until`.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.leftovers import processes_of
from tests.waiting import wait_until

pytest_plugins = ["tests.servers", "tests.programs", "tests.hand_over"]

# Each stays in one of the processes that share the tests, since what it makes for a session is dear: images, clusters.
_KEPT_TOGETHER = ("containers", "topologies")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a directory whose tests are kept together into one group."""
    tests = Path(__file__).parent
    for item in items:
        directory = item.path.relative_to(tests).parts[0]
        if directory in _KEPT_TOGETHER:
            item.add_marker(pytest.mark.xdist_group(directory))


@pytest.fixture(scope="session", autouse=True)
def session_directory() -> Iterator[Path]:
    """The directory for all temporary files of the session; nothing that has it may run when the session ends."""
    directory = Path(tempfile.mkdtemp(prefix="handover-tests-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(directory))
        patch.setattr(tempfile, "tempdir", str(directory))
        yield directory
    with suppress(AssertionError):
        wait_until(lambda: not processes_of(directory), description="every process has ended", timeout_s=3)
    left = processes_of(directory)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    assert not left, f"processes left running by the tests: {left}"
