"""What is missing, doubled, foreign and out of order in a list of numbers, beside the plainest way to tell it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_b.segment import number_runs
from server_b.segment.doubled_numbers import counted_pieces
from server_b.segment.number_runs import NumberRuns, kept_pieces, misplaced
from server_b.segment.witness import witness_of_numbers
from shared.witness import Witness

numbers_or_not = st.lists(st.integers(-2, 16))


def taken(first: int, count: int, values: list[bytes], *, portion: int) -> NumberRuns:
    """Return the runs of a list whose values come in portions."""
    found = NumberRuns(first, count)
    for start in range(0, len(values), portion):
        found.add(values[start : start + portion])
    return found


def out_of_order(found: NumberRuns) -> int:
    """Return how many numbers stand elsewhere than at their rank."""
    runs = list(found.runs())
    return sum(piece.high - piece.low for piece in misplaced(runs, kept_pieces(runs, found.count)[0]))


def spelled(first: int, offsets: list[int]) -> list[bytes]:
    """Return values, some of them foreign to a segment that begins with `first`."""
    return [b"%d" % (first + offset) for offset in offsets]


@given(st.integers(3, 30), st.integers(1, 12), numbers_or_not, st.integers(1, 5))
def test_counts(first: int, count: int, offsets: list[int], portion: int) -> None:
    values = spelled(first, offsets)
    expected = [b"%d" % number for number in range(first, first + count)]
    found = taken(first, count, values, portion=portion)
    pieces, missing = kept_pieces(list(found.runs()), count)
    assert found.values == len(values)
    assert found.foreign == sum(value not in expected for value in values)
    assert missing == len(set(expected) - set(values))
    assert sum(piece.high - piece.low for piece in pieces) == len(set(expected) & set(values))
    right = next((place for place, pair in enumerate(zip(values, expected, strict=False)) if pair[0] != pair[1]), None)
    right = min(len(values), count) if right is None else right
    assert (found.right, found.wrong) == (right, values[right] if right < len(values) else None)


@given(st.integers(3, 30), st.permutations(range(12)), st.integers(0, 12), st.integers(1, 5))
def test_order(first: int, order: list[int], kept: int, portion: int) -> None:
    values = spelled(first, order[:kept])
    in_order = sorted(values, key=int)
    found = taken(first, len(order), values, portion=portion)
    assert out_of_order(found) == sum(value != ranked for value, ranked in zip(values, in_order, strict=True))


@given(st.integers(0, 99), st.integers(1, 40), st.integers(0, 100))
def test_what_was_put_in_a_second_time_leaves_the_others_in_order(first: int, values: int, place: int) -> None:
    right = [b"%d" % number for number in range(1, 101)]
    copied = right[first : first + values]
    found = taken(1, 100, [*right[:place], *copied, *right[place:]], portion=7)
    assert (out_of_order(found), kept_pieces(list(found.runs()), 100)[1]) == (0, 0)


@pytest.mark.parametrize(
    "value", [b"", b"0", b"05", b"+5", b" 5", b"5 ", b"5.0", b"-5", b"\xd9\xa5", b"9" * 5_000, b"1_0"]
)
def test_only_the_spelling_that_was_written_is_a_number(value: bytes) -> None:
    found = NumberRuns(1, 10)
    found.add([value])
    assert (found.foreign, found.wrong) == (1, value)


def test_of_a_list_in_too_many_runs_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_runs, "MAX_RUNS", 10)
    values = [b"%d" % number for number in [1, *range(3, 1_000)]]
    random.Random(1).shuffle(values)
    found = taken(1, 1_000, [*values, b"7", b"x"], portion=100)
    assert found.bits is not None
    assert (found.values, found.foreign, found.distinct) == (1_000, 1, 998)
    assert found.right == next(place for place, value in enumerate(values) if value != b"%d" % (place + 1))


@given(st.integers(1, 8), st.permutations(range(8)), st.data())
def test_a_second_one_anywhere_among_a_few_leaves_no_more_out_of_order(
    count: int, order: list[int], data: st.DataObject
) -> None:
    """As with the best choice of which of the two is the second one."""
    values = [b"%d" % (number + 1) for number in order if number < count]
    doubled = data.draw(st.sampled_from(values))
    values.insert(data.draw(st.integers(0, len(values))), doubled)
    found = taken(1, count, values, portion=3)
    runs = list(found.runs())
    pieces, missing = counted_pieces(runs, count)
    without = [values[:place] + values[place + 1 :] for place, value in enumerate(values) if value == doubled]
    fewest = min(sum(value != b"%d" % rank for rank, value in enumerate(rest, start=1)) for rest in without)
    assert missing == 0
    assert sum(piece.high - piece.low for piece in misplaced(runs, pieces)) == fewest


@pytest.mark.parametrize(
    ("values", "swapped"), [([1, 2, 3, 5, 4, 5], 0), ([2, 1, 2], 0), ([5, 2, 5, 3, 4, 1], 2)], ids=str
)
def test_which_of_two_belongs_where_it_stands_is_not_told_by_their_neighbours(values: list[int], swapped: int) -> None:
    found = taken(1, max(values), [b"%d" % value for value in values], portion=2)
    witness = witness_of_numbers(Witness("long", 1), found, len(values))
    assert (witness.missing, witness.doubled, witness.out_of_order) == (0, 1, swapped)
