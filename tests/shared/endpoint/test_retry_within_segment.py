"""`--patience-s` counts from the last successful reply, also within a segment that takes longer than that."""

from __future__ import annotations

import time

import pytest

from server_a.run import writing
from server_b.serving import RETRY_S
from shared.endpoint import retry, window
from shared.errors import EndpointUnreachableError
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.waiting import wait_until

LITTLE_BYTES = 32 * 1024


class Clock:
    """The real clock, with hours that go forward when the test says so."""

    def __init__(self) -> None:
        """Start with the real time."""
        self._ahead_s = 0.0
        self._is_asked = True

    def monotonic(self) -> float:
        """Return the seconds of this clock."""
        self._is_asked = True
        return time.monotonic() + self._ahead_s

    def wait_until_asked(self) -> None:
        """Wait until somebody has asked since time went by, as the programs do at replies."""
        wait_until(lambda: self._is_asked, description="the time was asked for")

    def go_forward(self) -> None:
        """Let most of the time go by for which the programs retry."""
        self.wait_until_asked()
        self._ahead_s += RETRY_S - 10
        self._is_asked = False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock, and a window of few batches, so that replies come between any two moments that tests name."""
    monkeypatch.setattr(window, "FIRST_BYTES", LITTLE_BYTES)
    monkeypatch.setattr(window, "LEAST_BYTES", LITTLE_BYTES)
    monkeypatch.setattr(window, "MAX_BYTES", LITTLE_BYTES)
    monkeypatch.setattr(writing, "TELL_EVERY_S", 0.0)
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    return clock


def test_a_long_segment_is_written_through_a_cut_at_its_end(
    hand_over: HandOver, link: FaultyLink, clock: Clock
) -> None:
    for batch in (10, 50, 90):
        link.at(b"LPUSHX", clock.go_forward, nth=batch)
    link.at(b"LPUSHX", clock.wait_until_asked, nth=140, is_forwarded=False)
    summary = hand_over.produce(url=link.url, count=150_000, patience_s=RETRY_S)
    assert (summary.attempts, link.cuts) == (2, 1)


def test_a_long_segment_is_read_through_a_cut_at_its_end(hand_over: HandOver, link: FaultyLink, clock: Clock) -> None:
    summary = hand_over.produce(count=150_000)
    for chunk in (10, 50, 90):
        link.at(b"LRANGE", clock.go_forward, nth=chunk)
    link.at(b"LRANGE", clock.wait_until_asked, nth=140, is_forwarded=False)
    assert hand_over.consume(url=link.url).digest == summary.digest
    assert link.cuts == 1


def test_connecting_alone_does_not_prolong_the_retries(hand_over: HandOver, link: FaultyLink, clock: Clock) -> None:
    def fail_for_ever() -> None:
        link.cut_after("to_server", 1, times=None)
        link.at(b"\r\n", clock.go_forward)  # the first that comes over the next connection

    link.at(b"LPUSHX", fail_for_ever, nth=5)
    with pytest.raises(EndpointUnreachableError):
        hand_over.produce(url=link.url, count=150_000, patience_s=RETRY_S - 20)
