"""A follower's checkpoint, in memory and in its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server_b.follow import checkpoint
from server_b.follow.checkpoint import Checkpoint, CheckpointFile
from shared.errors import InvalidInputError


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    """The file of one endpoint and namespace, in a directory that is not there yet."""
    return CheckpointFile(str(tmp_path / "state"), endpoint="redis://localhost:6379/0", namespace="shop1")


def test_what_was_saved_is_read(file: CheckpointFile) -> None:
    assert file.read() == Checkpoint("0-0", {})
    first, second = "20261122T205801123Z-3f9a1c", "20261122T205801124Z-3f9a1c"
    saved = Checkpoint().after_report(first, first, after="5-1").after_report(second, second, after="6-0")

    file.replace(file.prepare(saved))

    assert file.read() == saved == Checkpoint("6-0", {first: first, second: second})
    assert list(file.path.parent.iterdir()) == [file.path]


def test_only_so_many_reports_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MAX_REPORTED", 2)
    found = Checkpoint()
    for number, run_id in enumerate(("first", "second", "first", "third")):
        found = found.after_report(run_id, f"{number}", after="1-0")
    assert found.reported == {"first": "2", "third": "3"}


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"after": "5-1"}', '{"after": "5", "reported": {}}', '{"after": "5-1", "reported": ["first"]}'],
)
def test_a_file_that_is_none_of_ours_is_refused(file: CheckpointFile, text: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        file.read()
    assert caught.value.where == str(file.path)


def test_only_old_leftovers_of_this_checkpoint_are_removed(file: CheckpointFile) -> None:
    other = CheckpointFile(str(file.path.parent), endpoint="redis://localhost:6379/0", namespace="shop10")
    file.replace(file.prepare(Checkpoint("5-1")))
    left, in_use, others = (each.prepare(Checkpoint()) for each in (file, file, other))
    foreign = file.path.with_name("foreign.new")
    foreign.touch()
    for path in (file.path, left, others, foreign):
        os.utime(path, (0, 0))

    file.remove_leftovers()

    assert set(file.path.parent.iterdir()) == {file.path, in_use, others, foreign}
    assert file.read() == Checkpoint("5-1")


def test_there_need_be_no_directory_to_remove_leftovers_from(file: CheckpointFile) -> None:
    file.remove_leftovers()
    assert not file.path.parent.exists()
