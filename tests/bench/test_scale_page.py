"""docs/scale.md says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.record import MAX_SHOP_RECORDS
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES, MAX_SEGMENTS, MAX_VALUE_BYTES

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (f"| {MAX_COUNT:,} values a run |", "MAX_COUNT"),
        (f"| {MAX_SEGMENTS:,} segments a run |", "MAX_SEGMENTS"),
        (f"| {MAX_SEGMENT_VALUES:,} values a segment |", "MAX_SEGMENT_VALUES"),
        (f"| {MAX_VALUE_BYTES:,} bytes a value |", "MAX_VALUE_BYTES"),
        (f"| {MAX_SHOP_RECORDS:,} users, SKUs, carts each |", "MAX_SHOP_RECORDS"),
    ],
)
def test_the_page_names_each_bound_as_the_code_has_it(start: str, name: str) -> None:
    (row,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(start)]
    assert f"`{name}`" in row
