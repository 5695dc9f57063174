"""What every test has: servers, programs, and a check that the session leaves no process behind.

The fixtures are in `tests.stage`: servers, programs, hand_over_in_process; waiting is `tests.stage.waiting.wait_until`.
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

from tests.stage.leftovers import processes_of
from tests.stage.waiting import wait_until

pytest_plugins = [
    "tests.stage.containers",
    "tests.stage.hand_over_in_process",
    "tests.stage.hypothesis_profile",
    "tests.stage.kept_together",
    "tests.stage.needs",
    "tests.stage.programs",
    "tests.stage.servers",
    "tests.stage.stage_page",
    "tests.stage.topologies",
    "tests.stage.trust",
    # After the plugins that these import, whose assertions pytest would else not explain.
    "tests.stage.browsing",
    "tests.stage.page_process",
]


@pytest.fixture(scope="session", autouse=True)
def session_directory() -> Iterator[Path]:
    """The directory for all temporary files of the session; nothing that has it may run when the session ends."""
    directory = Path(tempfile.mkdtemp(prefix="handover-tests-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(directory))
        patch.setattr(tempfile, "tempdir", str(directory))
        yield directory
    with suppress(AssertionError):
        wait_until(lambda: not processes_of(directory), description="every process has ended", timeout_s=30)
    left = processes_of(directory)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)
    assert not left, f"processes left running by the tests: {left}"
