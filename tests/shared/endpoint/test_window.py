"""The window on links of every kind, simulated: a rate, a delay, and a clock that the test moves."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import NamedTuple

import pytest

from shared.endpoint.settings import SOCKET_TIMEOUT_S
from shared.endpoint.window import FIRST_BYTES, LATEST_REPLY_S, LEAST_BYTES, MAX_BYTES, Flight, Window

BATCH_BYTES = 14_000
SENDING_BYTES_PER_S = 150e6  # of the program


class Link(NamedTuple):
    """A link that carries its first `before` bytes faster, and each batch up to `restless_s` later than the best."""

    round_trip_s: float
    bytes_per_s: float
    before: int = 0
    bytes_per_s_before: float = 1e9
    restless_s: float = 0.0

    def take_s(self, sent: int) -> float:
        """Return how long the batch takes that is sent behind so many bytes."""
        return BATCH_BYTES / (self.bytes_per_s_before if sent < self.before else self.bytes_per_s)

    def total_s(self, total: int) -> float:
        """Return how long so many bytes take at least."""
        return self.before / self.bytes_per_s_before + (total - self.before) / self.bytes_per_s + self.round_trip_s


class Passage(NamedTuple):
    took_s: float
    latest_reply_s: float  # after the first 512 KiB
    most_in_flight: int


def pass_over(link: Link, total_bytes: int, window: Window) -> Passage:
    """Send batches over a link as fast as the window allows, and read each reply when it comes."""
    now_s = free_at_s = latest_s = 0.0
    sent = answered = most = 0
    under_way: deque[tuple[Flight, float]] = deque()
    rng, arrives_s = Random(1), 0.0
    while sent < total_bytes or under_way:
        if sent < total_bytes and window.has_room(BATCH_BYTES):
            flight = window.sent(BATCH_BYTES, now_s=now_s)
            now_s += BATCH_BYTES / SENDING_BYTES_PER_S
            free_at_s = max(free_at_s, now_s) + link.take_s(sent)
            # in order: what is behind a batch that is late is as late
            arrives_s = max(arrives_s, free_at_s + link.round_trip_s + rng.random() * link.restless_s)
            under_way.append((flight, arrives_s))
            sent += BATCH_BYTES
            most = max(most, window.in_flight)
        else:
            flight, came_s = under_way.popleft()
            now_s = max(now_s, came_s)
            took_s = window.answered(flight, now_s=now_s)
            answered += BATCH_BYTES
            latest_s = max(latest_s, took_s) if answered > FIRST_BYTES * 2 else latest_s
    return Passage(now_s, latest_s, most)


FAST_LINKS = [Link(ms / 1_000, rate * 1e6) for ms in (0.1, 1, 5, 20, 80) for rate in (5, 20, 60, 100)]
SLOW_LINKS = [Link(ms / 1_000, rate * 1e3) for ms in (0.1, 5, 20, 60, 200) for rate in (60, 120, 250, 500, 1_000)]


@pytest.mark.parametrize("link", FAST_LINKS)
def test_a_fast_link_is_never_idle_for_long(link: Link) -> None:
    total = int(link.bytes_per_s * 2)
    took_s = pass_over(link, total, Window()).took_s
    assert took_s <= total / link.bytes_per_s + 5 * link.round_trip_s + 0.05


RESTLESS_LINKS = [
    Link(ms / 1_000, rate * 1e6, restless_s=share * ms / 1_000)
    for ms in (5, 20, 80)
    for rate in (5, 20, 60)
    for share in (0.25, 0.5, 1)
]


@pytest.mark.parametrize("link", RESTLESS_LINKS)
def test_a_restless_link_is_used_though_most_replies_are_late(link: Link) -> None:
    longest_s = link.round_trip_s + link.restless_s
    total = int(link.bytes_per_s * 2)
    least_s = total / min(link.bytes_per_s, MAX_BYTES / longest_s)
    assert pass_over(link, total, Window()).took_s <= 1.5 * least_s + 12 * longest_s


@pytest.mark.parametrize("link", SLOW_LINKS)
def test_on_a_slow_link_no_reply_is_late_and_no_time_is_lost(link: Link) -> None:
    total = int(link.bytes_per_s * 20)
    passage = pass_over(link, total, Window())
    assert passage.took_s <= 1.05 * (total / link.bytes_per_s + link.round_trip_s)
    assert passage.latest_reply_s <= max(LATEST_REPLY_S, LEAST_BYTES / link.bytes_per_s) + link.round_trip_s + 0.3


CREDITS = [
    Link(ms / 1_000, 250e3, before=credit_kib * 1_024)
    for ms in (0.1, 5, 20, 60, 200)
    for credit_kib in (64, 256, 512, 768, 1_024)
]


@pytest.mark.parametrize("link", CREDITS)
def test_a_link_that_is_slow_when_its_credit_is_spent_answers_within_half_of_the_time_out(link: Link) -> None:
    total = link.before + int(link.bytes_per_s * 20)
    passage = pass_over(link, total, Window())
    assert passage.latest_reply_s <= SOCKET_TIMEOUT_S / 2 + link.round_trip_s
    assert passage.took_s <= 1.1 * link.total_s(total)


DROPS = [
    Link(ms / 1_000, slow * 1e3, before=100_000_000, bytes_per_s_before=fast * 1e6)
    for ms in (0.1, 5, 20)
    for fast, slow in ((10, 100), (10, 250), (25, 250))
]


@pytest.mark.parametrize("link", DROPS)
def test_a_link_that_becomes_slow_in_the_midst_answers_within_the_time_out(link: Link) -> None:
    total = link.before + int(link.bytes_per_s * 20)
    passage = pass_over(link, total, Window())
    assert passage.latest_reply_s < SOCKET_TIMEOUT_S
    assert passage.took_s <= 1.1 * link.total_s(total)


@pytest.mark.parametrize("link", [Link(ms / 1_000, 100e3, 100_000_000, 10e6) for ms in (60, 200)])
def test_what_was_under_way_when_a_far_link_became_slow_is_all_that_is_late(link: Link) -> None:
    window = Window()
    pass_over(link, link.before + int(link.bytes_per_s * 60), window)
    assert window.limit <= 1.01 * link.bytes_per_s * LATEST_REPLY_S


@pytest.mark.parametrize(("before_s", "after_s"), [(0.0001, 0.08), (0.005, 0.08), (0.08, 0.005)])
def test_a_link_that_becomes_longer_or_shorter_is_used_as_well(before_s: float, after_s: float) -> None:
    window = Window()
    pass_over(Link(before_s, 20e6), 40_000_000, window)
    passage = pass_over(Link(after_s, 20e6), 400_000_000, window)
    assert passage.took_s <= 20 + 3


def test_at_most_8_mib_are_ever_in_flight() -> None:
    assert pass_over(Link(1.0, 1e9), 200_000_000, Window()).most_in_flight <= MAX_BYTES


def test_the_window_is_kept_for_the_next_connection() -> None:
    window = Window()
    pass_over(Link(0.08, 60e6), 60_000_000, window)
    window.begin(now_s=1.0)
    assert window.limit > 4 * FIRST_BYTES


def test_one_batch_may_always_be_sent() -> None:
    window = Window()
    assert window.has_room(100 * MAX_BYTES)
    window.sent(100 * MAX_BYTES, now_s=0.0)
    assert not window.has_room(1)


def test_each_lost_connection_halves_what_may_be_in_flight_and_a_minute_later_more_is_tried() -> None:
    window = Window()
    for number in range(8):
        window.begin(now_s=float(number))
        size = window.limit
        window.sent(size, now_s=float(number))
        window.lost(size, now_s=float(number))
        assert window.in_flight == 0
        assert window.limit == max(LEAST_BYTES, size // 2)
    window.begin(now_s=67.1)
    pass_over(Link(0.08, 60e6), 60_000_000, window)
    assert LEAST_BYTES < window.limit <= 2 * LEAST_BYTES


def test_a_connection_lost_with_little_in_flight_says_nothing_of_the_window() -> None:
    window = Window()
    pass_over(Link(0.08, 60e6), 60_000_000, window)
    window.lost(0, now_s=10.0)
    assert window.limit == FIRST_BYTES
    pass_over(Link(0.08, 60e6), 60_000_000, window)
    assert window.limit > 4 * FIRST_BYTES


def test_a_lost_connection_never_widens_the_window_however_large_its_batch() -> None:
    """One batch may always be sent, and may be longer than all that the window allows."""
    window = Window()
    sizes = []
    for number in range(8):
        window.sent(1024 * 1024, now_s=float(number))
        window.lost(1024 * 1024, now_s=float(number))
        sizes.append(window.most)
    assert sizes == [max(LEAST_BYTES, 512 * 1024 >> number) for number in range(8)]
