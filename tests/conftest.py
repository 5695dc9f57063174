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
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.stage.leftovers import processes_of
from tests.stage.waiting import wait_until

pytest_plugins = [
    "tests.stage.containers",
    "tests.stage.hand_over_in_process",
    "tests.stage.hypothesis_profile",
    "tests.stage.programs",
    "tests.stage.servers",
    "tests.stage.topologies",
    "tests.stage.trust",
]

# Each stays in one of the processes that share the tests, since what it makes for a session is dear: images, clusters.
_KEPT_TOGETHER = (
    "tests/whole/containers/",
    "tests/itself/test_owned.py",
    "tests/whole/topologies/",
    "tests/server_b/follow/test_follower.py",
    "tests/faults/test_follower_faults.py",
    "tests/demo/test_make.py",
)


class _KeepingTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests one by one, and those that are kept together to one process.

    The marker `xdist_group` was rejected: pytest 9.2 leaves it without effect (pytest-xdist issue 1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((path for path in _KEPT_TOGETHER if nodeid.startswith(path)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _KeepingTogether:
    """Return what shares the tests among processes, whatever `--dist` says."""
    return _KeepingTogether(config, log)


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
