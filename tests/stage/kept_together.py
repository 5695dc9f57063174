"""Tests that stay in one of the processes that share the tests, as the marker `kept_together` says.

pytest-xdist's own marker `xdist_group` was rejected: pytest 9.2 leaves it without effect (pytest-xdist issue 1386). The
process that hands out the tests knows them by name alone, so each process that runs them writes its markers to a file.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_DIRECTORY = pytest.StashKey[Path]()
_INPUT = "kept_together"


class _KeepingTogether(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests one by one, and those that are kept together to one process."""

    @cached_property
    def _names(self) -> dict[str, str]:
        """The name that the marker gives, by the test's id."""
        names: dict[str, str] = {}
        for file in self.config.stash[_DIRECTORY].iterdir():
            names |= json.loads(file.read_text())
        return names

    def _split_scope(self, nodeid: str) -> str:
        return self._names.get(nodeid, nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Make the directory for the files in the process that hands out the tests."""
    if not hasattr(config, "workerinput"):
        directory = TemporaryDirectory(prefix="handover-kept-together-")
        config.add_cleanup(directory.cleanup)
        config.stash[_DIRECTORY] = Path(directory.name)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that runs tests where to write."""
    node.workerinput[_INPUT] = str(node.config.stash[_DIRECTORY])


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist says that the tests are collected
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the names of the tests that are kept together."""
    if (worker := getattr(session.config, "workerinput", None)) is None:
        return
    marked = {item.nodeid: item.get_closest_marker("kept_together") for item in session.items}
    names = {nodeid: marker.args[0] for nodeid, marker in marked.items() if marker}
    (Path(worker[_INPUT]) / f"{worker['workerid']}.json").write_text(json.dumps(names))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _KeepingTogether:
    """Return what shares the tests among processes, whatever `--dist` says."""
    return _KeepingTogether(config, log)
