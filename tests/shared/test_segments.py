"""Cutting a run into segments: each value in exactly one, in order, none larger than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.segments import (
    MAX_CHUNK_BYTES,
    MAX_COUNT,
    MAX_SEGMENT_VALUES,
    MAX_VALUE_BYTES,
    SegmentRange,
    safe_chunk_values,
    segment_range,
    segments_of,
)


def _cut(count: int, segment_values: int) -> list[SegmentRange]:
    return [
        segment_range(number, count=count, segment_values=segment_values)
        for number in range(1, segments_of(count, segment_values) + 1)
    ]


@pytest.mark.parametrize(
    ("count", "segment_values", "ranges"),
    [
        (1, 1, [(1, 0, 1)]),
        (10_000, 1_000_000, [(1, 0, 10_000)]),
        (1_000_000, 1_000_000, [(1, 0, 1_000_000)]),
        (1_000_001, 1_000_000, [(1, 0, 1_000_000), (2, 1_000_000, 1)]),
        (10, 3, [(1, 0, 3), (2, 3, 3), (3, 6, 3), (4, 9, 1)]),
    ],
)
def test_examples(count: int, segment_values: int, ranges: list[tuple[int, int, int]]) -> None:
    assert [(each.number, each.first, each.count) for each in _cut(count, segment_values)] == ranges


@given(st.integers(1, 3_000), st.integers(1, 4_000))
def test_every_value_is_in_exactly_one_segment_in_order(count: int, segment_values: int) -> None:
    positions = [p for each in _cut(count, segment_values) for p in range(each.first, each.first + each.count)]
    assert positions == list(range(count))


@given(st.integers(1, MAX_COUNT), st.integers(1, MAX_SEGMENT_VALUES), st.data())
def test_large_runs_are_cut_without_rounding(count: int, segment_values: int, data: st.DataObject) -> None:
    segments = segments_of(count, segment_values)
    assert (segments - 1) * segment_values < count <= segments * segment_values
    number = data.draw(st.integers(1, segments))
    each = segment_range(number, count=count, segment_values=segment_values)
    assert (each.number, each.first) == (number, (number - 1) * segment_values)
    assert each.count == segment_values or (number == segments and each.first + each.count == count)
    assert each.count >= 1


@given(st.integers(0, MAX_VALUE_BYTES))
def test_a_safe_chunk_holds_at_most_4_mib_and_at_least_one_value(max_value_bytes: int) -> None:
    values = safe_chunk_values(max_value_bytes, block_values=1_000)
    assert 1 <= values <= 1_000
    assert values * max_value_bytes <= MAX_CHUNK_BYTES
    assert values == 1_000 or (values + 1) * max_value_bytes > MAX_CHUNK_BYTES
