"""What differs between a list's lines and a file's, read once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_b.explain.line_matching import MAX_AHEAD, Difference, LineMatching, line_key

few_lines = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=30)


def differences(in_file: list[bytes], in_list: list[bytes]) -> tuple[LineMatching, list[Difference]]:
    """Return all that differs."""
    matching = LineMatching(iter(in_file), iter(in_list))
    return matching, list(matching.differences())


@given(few_lines, few_lines)
def test_what_is_left_without_the_differences_is_the_same(in_file: list[bytes], in_list: list[bytes]) -> None:
    matching, found = differences(in_file, in_list)
    absent, extra = {each.in_file for each in found}, {each.in_list for each in found}
    kept = [line for place, line in enumerate(in_file) if place not in absent]
    assert kept == [line for place, line in enumerate(in_list) if place not in extra]
    assert all(each.key == in_file[each.in_file] for each in found if each.in_file is not None)
    assert all(each.key == in_list[each.in_list] for each in found if each.in_list is not None)
    assert matching.lost_at is None


@given(first=st.integers(0, 999), lines=st.integers(1, 50), is_taken_out=st.booleans())
def test_what_was_taken_out_or_put_in_is_all_that_differs(*, first: int, lines: int, is_taken_out: bool) -> None:
    right = [b"%d" % number for number in range(1_000)]
    wrong = (
        right[:first] + right[first + lines :] if is_taken_out else [*right[:first], *[b"x"] * lines, *right[first:]]
    )
    found = differences(right, wrong)[1]
    places = [each.in_file if is_taken_out else each.in_list for each in found]
    assert places == list(range(first, min(first + lines, 1_000) if is_taken_out else first + lines))


@given(first=st.integers(0, 990), taken_out=st.integers(1, 5), between=st.integers(0, 4), put_in=st.integers(1, 5))
def test_what_stands_between_two_changes_is_no_difference(
    *, first: int, taken_out: int, between: int, put_in: int
) -> None:
    right = [b"%d" % number for number in range(1_000)]
    then = first + taken_out + between
    wrong = [*right[:first], *right[first + taken_out : then], *[b"x"] * put_in, *right[then:]]
    found = differences(right, wrong)[1]
    absent = [each.in_file for each in found if each.in_file is not None]
    if taken_out == put_in and between:  # as many of both: taken for lines that were replaced
        assert len(absent) <= taken_out + between
    else:
        assert (absent, len(found)) == (list(range(first, first + taken_out)), taken_out + put_in)


@pytest.mark.parametrize("lost", [MAX_AHEAD, MAX_AHEAD + 10])
def test_the_place_is_found_again_within_a_hundred_thousand_lines(lost: int) -> None:
    right = [b"%d" % number for number in range(3 * MAX_AHEAD)]
    matching, found = differences(right, right[:5] + right[5 + lost :])
    if lost > MAX_AHEAD:
        assert (matching.lost_at, found) == ((5, 5), [])
    else:
        assert (matching.lost_at, [each.in_file for each in found]) == (None, list(range(5, 5 + lost)))


def test_long_lines_that_begin_alike_are_told_apart() -> None:
    first, second = b"x" * 100_000 + b"1", b"x" * 100_000 + b"2"
    assert line_key(first) != line_key(second)
    assert len(line_key(first)) < 300
    assert line_key(b"x" * 200) == b"x" * 200
