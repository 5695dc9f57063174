"""A follower's verdicts in their file: torn lines, foreign ones, what is over, and what a later attempt replaces."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import InvalidInputError
from shared.program.verdict_file import MAX_LINE_BYTES, VerdictFile
from shared.verdict import FAILED, MAX_FIRST, VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN

HOUR_MS = 60 * 60 * 1_000
VERDICT = SegmentVerdict(VERIFIED, RUN, 1, 2, 10, DIGEST, first=["é", "x"], started_us=1, ended_us=2)
SECOND = replace(VERDICT, segment=2)


def _file(folder: Path) -> VerdictFile:
    return VerdictFile(str(folder), endpoint="redis://localhost:6379/0", namespace="shop1")


def test_what_was_added_is_read(tmp_path: Path) -> None:
    assert _file(tmp_path).read() == {}
    file = _file(tmp_path)
    file.append(RUN, [VERDICT, SECOND], retain_ms=HOUR_MS)
    file.append(NEWER, [VERDICT], retain_ms=HOUR_MS)
    assert _file(tmp_path).read() == {RUN: {1: VERDICT, 2: SECOND}, NEWER: {1: VERDICT}}


def test_a_line_that_is_torn_anywhere_is_passed_over(tmp_path: Path) -> None:
    file = _file(tmp_path)
    file.append(RUN, [VERDICT, SECOND], retain_ms=HOUR_MS)
    whole = file.path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 1):
        file.path.write_bytes(whole[:end])
        assert file.read() == {RUN: {1: VERDICT}}, end
        file.append(NEWER, [VERDICT], retain_ms=HOUR_MS)
        assert file.read() == {RUN: {1: VERDICT}, NEWER: {1: VERDICT}}, end


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"7", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"run_id": 1, "until_ms": 2, "verdict": {}}',
        b'{"run_id": "x", "until_ms": 99999999999999, "verdict": null}',
        b'{"run_id": "%s", "until_ms": true, "verdict": {}}' % RUN.encode(),
    ],
)  # fmt: skip
def test_what_is_no_verdict_of_ours_is_passed_over(tmp_path: Path, line: bytes) -> None:
    file = _file(tmp_path)
    file.append(RUN, [VERDICT], retain_ms=HOUR_MS)
    file.path.write_bytes(line + b"\n" + file.path.read_bytes() + line + b"\n")
    assert file.read() == {RUN: {1: VERDICT}}


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_end_is_passed_over_in_bounded_memory(tmp_path: Path, end: bytes) -> None:
    file = _file(tmp_path)
    file.append(RUN, [VERDICT], retain_ms=HOUR_MS)
    with file.path.open("r+b") as raw:
        raw.truncate(16 * MAX_LINE_BYTES)
        raw.seek(0, os.SEEK_END)
        raw.write(end)
    tracemalloc.start()
    try:
        found = file.read()
        file.append(NEWER, [VERDICT], retain_ms=HOUR_MS)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == {RUN: {1: VERDICT}}
    assert file.read() == {RUN: {1: VERDICT}, NEWER: {1: VERDICT}}
    assert peak_bytes < 4 * MAX_LINE_BYTES


def test_the_longest_verdict_of_ours_is_read(tmp_path: Path) -> None:
    largest = replace(VERDICT, count=MAX_FIRST, first=["\x01" * 200] * MAX_FIRST)
    _file(tmp_path).append(RUN, [largest], retain_ms=HOUR_MS)
    assert _file(tmp_path).read() == {RUN: {1: largest}}


@pytest.mark.parametrize("is_later_first", [True, False])
def test_the_verdict_on_the_latest_attempt_counts(tmp_path: Path, *, is_later_first: bool) -> None:
    later = replace(VERDICT, attempt=NEWER, verdict=FAILED)
    both = [later, replace(VERDICT, attempt=OLDER)]
    _file(tmp_path).append(RUN, both if is_later_first else both[::-1], retain_ms=HOUR_MS)
    assert _file(tmp_path).read() == {RUN: {1: later}}


def test_what_is_over_is_not_read_and_removed_at_the_next_start(tmp_path: Path) -> None:
    file = _file(tmp_path)
    file.append(OLDER, [VERDICT], retain_ms=-1)
    file.append(RUN, [VERDICT], retain_ms=HOUR_MS)
    file.append(RUN, [VERDICT], retain_ms=HOUR_MS)
    assert file.read() == {RUN: {1: VERDICT}}
    assert file.path.read_bytes().count(b"\n") == 3
    _file(tmp_path).append(NEWER, [VERDICT], retain_ms=HOUR_MS)
    assert file.path.read_bytes().count(b"\n") == 2
    assert list(tmp_path.iterdir()) == [file.path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(InvalidInputError) as caught:
        _file(tmp_path / "state").append(RUN, [VERDICT], retain_ms=HOUR_MS)
    assert str(tmp_path) in caught.value.where
