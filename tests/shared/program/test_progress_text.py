"""How far a command is, at every width of a terminal."""

from __future__ import annotations

import pytest

from shared.program.progress_text import Shown, progress_text, short_number, short_time

A = Shown(
    "Writing", "values", 4_200_000, 10_000_000, 1_612_345.6, is_idle=False,
    segments=("segment 5 of 10", "segment 5 of 10", "seg 5/10"),
)  # fmt: skip
SHARED = "20 of 50 segments verified, 12 by others"
B = Shown(
    "Reading", "values", 32_000_000, 50_000_000, 1_612_345.6, is_idle=False,
    segments=(SHARED, "20 of 50 verified, 12 by others", "32/50 read"),
)  # fmt: skip
COUNT, RATE = "42%  4,200,000 of 10,000,000 values", "1,612,346 values/s"
WORST = Shown(
    "Reading", "values", 999_999_999_999, 10_000_000_000_000, 123_456_789.0, is_idle=False,
    segments=(
        "99,999 of 100,000 segments verified, 1 not, 50,000 by others",
        "99,999 of 100,000 verified, 1 not, 50,000 by others",
        "99999/100000 read",
    ),
)  # fmt: skip


@pytest.mark.parametrize("shown", [A, B, WORST, A._replace(total=None), B._replace(is_idle=True, per_s=None)])
def test_it_is_shorter_than_the_terminal_is_wide(shown: Shown) -> None:
    for columns in range(1, 240):
        assert len(progress_text(shown, columns)) < max(columns, 1)
    for columns in range(40, 240):
        assert len(progress_text(shown, columns)) > 5


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (115, f"Writing  [########------------]  {COUNT}  {RATE}  4s left  segment 5 of 10"),
        (100, f"Writing  42%  4,200,000 of 10,000,000 values  {RATE}  4s left  segment 5 of 10"),
        (80, "Writing  42%  4.2M of 10M values  1.6M values/s  4s left  segment 5 of 10"),
        (60, "Writing  42%  4.2M/10M  1.6M/s  4s left  seg 5/10"),
        (40, "42% 4.2M/10M 1.6M/s 4s left seg 5/10"),
    ],
)  # fmt: skip
def test_the_narrower_the_shorter_the_words(columns: int, text: str) -> None:
    assert progress_text(A, columns) == text


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (140, f"Reading  64%  32,000,000 of 50,000,000 values  {RATE}  11s left  {SHARED}"),
        (80, "Reading 64% 32M of 50M values 1.6M/s 11s left 20 of 50 verified, 12 by others"),
        (40, "64% 32M/50M 1.6M/s 11s left 32/50 read"),
    ],
)  # fmt: skip
def test_what_is_verified_is_told(columns: int, text: str) -> None:
    shown = progress_text(B, columns)
    assert shown.replace(f"  {shown[shown.find('[') : shown.find(']') + 1]}  ", "  ") == text


def test_idleness_takes_the_place_of_rate_and_time_left() -> None:
    idle = progress_text(B._replace(is_idle=True), 200)
    assert "waiting for signals" in idle
    assert "/s" not in idle
    assert "left" not in idle


def test_at_the_end_there_is_nothing_left() -> None:
    ended = progress_text(A._replace(done=10_000_000), 100)
    assert "100%" in ended
    assert "left" not in ended
    assert "99%" in progress_text(A._replace(done=9_999_999), 100)


def test_without_a_total_it_tells_how_many_and_how_fast() -> None:
    looked = Shown("Looking", "keys", 900, None, 450.0, is_idle=False, segments=None)
    assert progress_text(looked, 80) == "Looking  900 keys  450 keys/s"
    assert progress_text(looked, 20) == "Looking  900  450/s"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (9_999, "9.9k"), (12_345, "12k"), (999_999, "999k"), (1_000_000, "1.0M")],
)
def test_short_numbers(number: int, text: str) -> None:
    assert short_number(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.6, "1m00s"), (125, "2m05s"), (3 * 3_600 + 40 * 60, "3h40m"), (400_000, "4d")]
)
def test_short_times(seconds: float, text: str) -> None:
    assert short_time(seconds) == text
