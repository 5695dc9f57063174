"""Percentiles of reply times."""

from __future__ import annotations

import random

import pytest

from shared.endpoint.reply_times import ReplyTimes


def test_nothing_counted_has_no_percentiles() -> None:
    assert ReplyTimes().as_json() is None


@pytest.mark.parametrize("seed", range(10))
def test_percentiles_are_within_two_and_a_half_percent(seed: int) -> None:
    chance = random.Random(seed)
    seconds = [chance.lognormvariate(-6, 1.5) for _ in range(5_000)]
    times, halves = ReplyTimes(), (ReplyTimes(), ReplyTimes())
    for number, took_s in enumerate(seconds):
        halves[number % 2].add(took_s)
    for half in halves:
        times.merge(half)
    found = times.as_json()
    assert found is not None
    seconds.sort()
    for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
        assert found[name] == pytest.approx(1_000 * seconds[round(share * len(seconds)) - 1], rel=0.03)
    assert found["max"] == pytest.approx(1_000 * seconds[-1], rel=1e-3)
    assert list(found) == ["p50", "p95", "p99", "max"]
