"""What a producer says of its speed: from the first LPUSH sent to the last publication, by a clock that tests move."""

from __future__ import annotations

import pytest

from server_a.run import publishing
from server_a.run import writer as segment_writer
from tests.stage.clocks import Clock
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(publishing, "time", clock)
    monkeypatch.setattr(segment_writer, "time", clock)
    return clock


def test_write_s_begins_with_the_first_lpush_and_ends_with_the_last_publication(
    hand_over: HandOver, link: FaultyLink, clock: Clock
) -> None:
    link.at(b"HSETNX", lambda: clock.move(1))  # the run's record
    link.at(b"LPUSHX", lambda: clock.move(2), nth=3)
    link.at(b"RENAME", lambda: clock.move(4))
    link.at(b"RENAME", lambda: clock.move(8), nth=2)
    link.at(b"XADD", lambda: clock.move(16), nth=2)
    summary = hand_over.produce(url=link.url, count=20_000, segment_values=10_000)
    assert (summary.attempts, summary.write_s) == (2, 2 + 4 + 8)
    assert summary.values_per_s == round(20_000 / 14)


def test_an_attempt_that_failed_takes_time_and_its_values_count_once(
    hand_over: HandOver, link: FaultyLink, clock: Clock
) -> None:
    link.at(b"LPUSHX", lambda: clock.move(10), nth=5, is_forwarded=False)
    summary = hand_over.produce(url=link.url, count=10_000)
    assert (summary.attempts, summary.write_s, summary.values_per_s) == (2, 10, 1_000)


def test_a_resumed_run_that_had_nothing_to_write_has_no_speed(hand_over: HandOver) -> None:
    summary = hand_over.produce(count=10)
    resumed = hand_over.produce(resume=summary.run_id)
    assert (resumed.attempts, resumed.write_s, resumed.values_per_s) == (0, 0, 0)
