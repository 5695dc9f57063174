"""The rate of the last seconds of work."""

from __future__ import annotations

import pytest

from shared.program.pace import Pace


def _steady(pace: Pace, *, from_s: float, seconds: float, per_s: int) -> float:
    """Count so many values a second, ten times a second; return when that ended."""
    for _ in range(round(seconds * 10)):
        from_s += 0.1
        pace.add(per_s // 10, from_s)
    return from_s


def test_there_is_no_rate_before_time_has_gone_by() -> None:
    pace = Pace()
    assert pace.per_s is None
    pace.add(1_000, 5.0)
    assert pace.per_s is None


def test_the_first_values_only_start_the_clock() -> None:
    pace = Pace()
    pace.add(1_000_000, 50.0)
    pace.add(1_000, 51.0)
    assert pace.per_s == pytest.approx(1_000)


def test_it_is_of_the_last_seconds() -> None:
    pace = Pace()
    now_s = _steady(pace, from_s=0.0, seconds=60, per_s=100)
    _steady(pace, from_s=now_s, seconds=6, per_s=10_000)
    assert pace.per_s == pytest.approx(10_000)


def test_it_falls_while_nothing_comes_though_there_is_work() -> None:
    pace = Pace()
    now_s = _steady(pace, from_s=0.0, seconds=10, per_s=1_000)
    pace.add(0, now_s + 5.0)
    assert pace.per_s is not None
    assert pace.per_s < 1_000
    pace.add(0, now_s + 12.0)
    assert pace.per_s == 0


def test_rest_does_not_count_and_a_pause_between_two_segments_does() -> None:
    pace = Pace()
    now_s = _steady(pace, from_s=0.0, seconds=3, per_s=1_000)
    pace.rest(now_s)
    assert pace.rested_s(now_s + 60) == pytest.approx(60)
    pace.work(now_s + 60)
    assert pace.rested_s(now_s + 60) == 0
    now_s = _steady(pace, from_s=now_s + 60, seconds=1, per_s=1_000)
    assert pace.per_s == pytest.approx(1_000)
    pace.rest(now_s)
    pace.work(now_s + 0.2)
    pace.add(0, now_s + 0.2)
    assert pace.per_s is not None
    assert pace.per_s < 1_000


@pytest.mark.parametrize("values", [5_000_000, -900])
def test_values_that_were_not_worked_on_change_nothing(values: int) -> None:
    pace = Pace()
    now_s = _steady(pace, from_s=0.0, seconds=3, per_s=1_000)
    pace.shift(values)
    _steady(pace, from_s=now_s, seconds=1, per_s=1_000)
    assert pace.per_s == pytest.approx(1_000)
