"""A server's clock that is read once: it goes on as this host's monotonic clock does."""

from __future__ import annotations

import time

import pytest

from shared.endpoint import endpoint as server_clock
from shared.endpoint.endpoint import ServerClock

SERVER_US = 1_764_000_000_123_456


class _Clock:
    """This host's monotonic clock, which stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000

    def monotonic(self) -> float:
        return self.now_ns / 1_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The clock that it looks at."""
    clock = _Clock()
    monkeypatch.setattr(server_clock, "time", clock)
    return clock


def test_it_says_what_the_server_said_and_how_long_ago_that_was(host: _Clock) -> None:
    clock = ServerClock()
    clock.set(SERVER_US)
    assert clock.now_ms() == SERVER_US // 1_000
    host.now_ns += 1_500_000_000
    assert clock.now_ms() == SERVER_US // 1_000 + 1_500


@pytest.mark.parametrize("seconds", [-4, -0.25, 0, 0.25, 60])
def test_a_moment_of_this_hosts_clock_is_one_of_the_servers(host: _Clock, seconds: float) -> None:
    clock = ServerClock()
    clock.set(SERVER_US)
    assert clock.ms_at(host.monotonic() + seconds) == (SERVER_US + int(seconds * 1_000_000)) // 1_000


def test_another_server_has_another_clock(host: _Clock) -> None:
    clock = ServerClock()
    clock.set(SERVER_US)
    host.now_ns += 1_000_000_000
    clock.set(SERVER_US - 60_000_000)
    assert clock.now_ms() == (SERVER_US - 60_000_000) // 1_000


def test_it_goes_on_with_the_real_clock() -> None:
    clock = ServerClock()
    before_s = time.monotonic()
    clock.set(SERVER_US)
    found_ms = clock.now_ms() - SERVER_US // 1_000
    assert 0 <= found_ms <= (time.monotonic() - before_s) * 1_000 + 1
