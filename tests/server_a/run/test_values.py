"""Numbers as batches: the cached fragments give what formatting each number would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_a.run.values import Batch, NumberSource, encode_lines, encode_numbers
from shared.segments import MAX_COUNT, segment_range, segments_of
from tests.stage.second_opinions import decode_bulk


def assert_is_batch_of(batch: Batch, values: list[bytes]) -> None:
    assert batch.joined == b"\n".join(values)
    assert decode_bulk(batch) == values
    assert (batch.values, batch.longest) == (len(values), max(map(len, values)))


def _assert_are_numbers(start: int, end: int) -> None:
    assert_is_batch_of(encode_numbers(start, end), [b"%d" % number for number in range(start, end)])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (1, 2),
        (1, 10),
        (1, 11),
        (9, 101),
        (99, 100),
        (999, 1_000),
        (999, 1_001),
        (1_000, 1_001),
        (1_001, 1_002),
        (1, 1_001),
        (1_001, 2_001),
        (1, 2_501),
        (9_999, 10_001),
        (99_500, 100_500),
        (999_999, 1_000_001),
        (9_999_001, 10_000_001),
        (99_999_999_001, 100_000_000_001),
        (100_000_000_000, 100_000_000_001),
    ],
)
def test_digit_borders(start: int, end: int) -> None:
    _assert_are_numbers(start, end)


@given(st.integers(1, MAX_COUNT), st.integers(1, 2_600))
def test_any_range_of_numbers(start: int, values: int) -> None:
    _assert_are_numbers(start, start + values)


@given(st.integers(1, 11), st.integers(-1_100, 1_100), st.integers(1, 1_300))
def test_ranges_around_powers_of_ten(power: int, offset: int, values: int) -> None:
    start = max(1, 10**power + offset)
    _assert_are_numbers(start, start + values)


@given(st.lists(st.binary().map(lambda raw: raw.replace(b"\n", b"\r")), min_size=1, max_size=50))
def test_lines_are_encoded_as_they_are(lines: list[bytes]) -> None:
    assert_is_batch_of(encode_lines(lines), lines)


@given(st.integers(1, 6_000), st.integers(1, 2_500))
def test_all_segments_of_a_run_together_are_the_numbers(count: int, segment_values: int) -> None:
    source = NumberSource(count)
    numbers: list[bytes] = []
    for number in range(1, segments_of(count, segment_values) + 1):
        batches = list(source.batches(segment_range(number, count=count, segment_values=segment_values)))
        assert all(batch.values == 1_000 for batch in batches[:-1])
        assert 1 <= batches[-1].values <= 1_000
        numbers += [value for batch in batches for value in decode_bulk(batch)]
    assert numbers == [b"%d" % number for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("count", "described", "longest"),
    [(1, "1 to 1", 1), (10_000, "1 to 10,000", 5), (MAX_COUNT, "1 to 100,000,000,000", 12)],
)
def test_numbers_describe_themselves(count: int, described: str, longest: int) -> None:
    source = NumberSource(count)
    source.close()
    assert (source.describe(), source.max_value_bytes, source.source) == (described, longest, "numbers")
