"""What a consumer tells of a reading, decoded: within bounds, and nothing else is ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ownership import are_readings
from shared.reading import LASTS_MS, ReadingNote, note_text

RUN_ID = "20261122T205801123Z-3f9a1c"
AT_MS = 1_796_000_000_000


@given(st.integers(1, 10**9), st.integers(0, 10**12), st.integers(0, 10**9))
def test_what_is_told_is_read_back(segment: int, values: int, lasted_ms: int) -> None:
    raw = f"{note_text(RUN_ID, segment, values, lasted_ms)} {AT_MS}".encode()
    assert ReadingNote.decode(raw) == ReadingNote(RUN_ID, segment, values, AT_MS - lasted_ms, AT_MS)
    assert are_readings({b"b": raw})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"theirs", f"{RUN_ID} 1 5 {AT_MS}".encode(), f"{RUN_ID} 0 5 4 {AT_MS}".encode(),
        f"{RUN_ID} -1 5 4 {AT_MS}".encode(), f"{RUN_ID} 1 {'9' * 16} 4 {AT_MS}".encode(),
        f"{RUN_ID} 1 5 4 {AT_MS}\n".encode(), f" {RUN_ID} 1 5 4 9".encode(), f"{RUN_ID} \u0661 5 4 {AT_MS}".encode(),
        f"{RUN_ID.upper()} 1 5 4 {AT_MS}".encode(), f"{RUN_ID} 1 5 4 1".encode(),
        f"{RUN_ID} 1 5 4 {AT_MS}".encode() + b" " * 2**20,
    ],
)  # fmt: skip
def test_what_is_not_ours_is_nothing(raw: bytes) -> None:
    assert ReadingNote.decode(raw) is None
    assert not are_readings({b"b": f"{RUN_ID} 1 5 400 {AT_MS}".encode(), b"c": raw})


@given(st.binary())
def test_no_bytes_are_an_error(raw: bytes) -> None:
    assert ReadingNote.decode(raw) is None


def test_an_empty_hash_is_nobodys() -> None:
    assert ReadingNote.decode(None) is None
    assert not are_readings({})


@pytest.mark.parametrize(("age_ms", "is_fresh"), [(0, True), (LASTS_MS, True), (LASTS_MS + 1, False), (-1, True)])
def test_what_is_older_than_a_minute_was_left_behind(age_ms: int, is_fresh: bool) -> None:  # noqa: FBT001
    assert ReadingNote(RUN_ID, 1, 5, AT_MS - 400, AT_MS).is_fresh(AT_MS + age_ms) is is_fresh
