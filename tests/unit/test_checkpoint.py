"""A follower's checkpoint, in memory and in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from server_b import checkpoint
from server_b.checkpoint import Checkpoint, CheckpointFile


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    """The file of one endpoint and namespace, in a directory that is not there yet."""
    return CheckpointFile(str(tmp_path / "state"), endpoint="redis://localhost:6379/0", namespace="shop1")


def test_what_was_saved_is_read(file: CheckpointFile) -> None:
    assert file.read() == Checkpoint("0-0", [])
    saved = Checkpoint().after_report("first", after="5-1").after_report("second", after="6-0")

    file.replace(file.prepare(saved))

    assert file.read() == saved == Checkpoint("6-0", ["first", "second"])
    assert list(file.path.parent.iterdir()) == [file.path]


def test_only_so_many_reports_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MAX_REPORTED", 2)
    found = Checkpoint()
    for run_id in ("first", "second", "third"):
        found = found.after_report(run_id, after="1-0")
    assert found.reported == ["second", "third"]
