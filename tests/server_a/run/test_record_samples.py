"""Samples of a run: few, however long it lasts, in order, and the newest always among them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server_a.run.record import FIRST_STEP_MS, MAX_SAMPLES, Samples

# what is added: milliseconds since the last time, and values
additions = st.lists(st.tuples(st.integers(0, 200), st.integers(-50, 1_000)), max_size=60)


def _added(additions: list[tuple[int, int]], *, times: int = 1, samples: Samples | None = None) -> tuple[Samples, int]:
    """Add these so many times over; return the samples and the moment that it ended."""
    samples = samples or Samples()
    now_ms = 1_000
    for _ in range(times):
        for pause_ms, values in additions:
            now_ms += pause_ms
            samples.add(values, now_ms=now_ms)
    return samples, now_ms


@given(additions, st.integers(1, 100))
def test_the_last_one_is_the_newest_and_no_more_than_600_are_kept_in_order(
    additions: list[tuple[int, int]], times: int
) -> None:
    samples, ended_ms = _added(additions, times=times)
    total = times * sum(values for _, values in additions)
    assert samples.kept[-1:] == ([(ended_ms, total)] if additions else [])
    assert len(samples.kept) <= MAX_SAMPLES
    moments = [moment for moment, _ in samples.kept]
    assert moments == sorted(moments)


def test_a_long_run_keeps_its_beginning_and_hundreds_of_points_between() -> None:
    samples = Samples()
    for number in range(1_000_000):
        samples.add(1, now_ms=number * 5)
        assert len(samples.kept) <= MAX_SAMPLES
    assert samples.kept[0] == (0, 1)
    assert samples.kept[-1] == (4_999_995, 1_000_000)
    assert len(samples.kept) > MAX_SAMPLES // 3
    steps = [after[0] - before[0] for before, after in zip(samples.kept, samples.kept[1:], strict=False)]
    assert max(steps) < 3 * sorted(steps)[len(steps) // 2]
    assert all(values == moment // 5 + 1 for moment, values in samples.kept)


def test_what_comes_quickly_is_one_point() -> None:
    samples = Samples()
    for number in range(5):
        samples.add(1, now_ms=1_000 + number)
    assert samples.kept == [(1_000, 1), (1_004, 5)]
    samples.add(1, now_ms=1_000 + FIRST_STEP_MS)
    assert samples.kept == [(1_000, 1), (1_004, 5), (1_000 + FIRST_STEP_MS, 6)]


def test_values_that_are_to_be_written_again_do_not_count_twice() -> None:
    samples = Samples()
    for moment, values in ((0, 100), (100, 100), (200, -100), (300, 100)):
        samples.add(values, now_ms=moment)
    assert samples.kept == [(0, 100), (100, 200), (200, 100), (300, 200)]


@given(st.lists(st.integers(0, 900), max_size=1_000, unique=True).map(sorted), additions)
def test_what_was_kept_before_a_stop_stays_in_front(before_ms: list[int], additions: list[tuple[int, int]]) -> None:
    before = [(moment, moment) for moment in before_ms]
    samples = Samples(before)
    assert samples.kept == before[: len(samples.kept)]
    _added(additions, samples=samples)
    moments = [moment for moment, _ in samples.kept]
    assert moments == sorted(moments)
    assert set(samples.kept) - set(before) or not additions


def test_a_clock_that_is_set_back_bends_nothing_backward() -> None:
    """After a failover it is another server's."""
    samples = Samples()
    for moment in (1_000, 1_100, 700, 800, 1_200):
        samples.add(1, now_ms=moment)
    assert samples.kept[-1] == (1_200, 5)
    moments = [moment for moment, _ in samples.kept]
    assert moments == sorted(moments)
