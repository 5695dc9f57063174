"""Which segments are to be given out: each once, lowest first, never a hundred ahead of what is not published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_a.run.plan import MOST_AHEAD, Plan


def _plan(*numbers: int) -> Plan:
    plan = Plan()
    plan.set(numbers)
    return plan


@given(st.sets(st.integers(1, 500)), st.sets(st.integers(1, 500), max_size=5))
def test_what_is_in_reach_is_less_than_100_ahead_of_the_lowest(planned: set[int], under_way: set[int]) -> None:
    found = _plan(*planned).within_reach(under_way - planned)
    lowest = min(planned | under_way, default=0)
    assert found == sorted(number for number in planned if number < lowest + MOST_AHEAD)


@given(st.sets(st.integers(1, 50), min_size=1))
def test_what_was_taken_and_put_back_is_planned_again(numbers: set[int]) -> None:
    plan = _plan(*numbers)
    for number in numbers:
        plan.take(number)
        assert number not in plan
    assert not plan
    assert plan.within_reach() == []
    for number in numbers:
        plan.put_back(number)
        assert number in plan
    assert plan.within_reach() == sorted(numbers)


@pytest.mark.parametrize("number", [0, 2, 4])
def test_what_was_never_planned_is_not_there(number: int) -> None:
    assert number not in _plan(1, 3)
