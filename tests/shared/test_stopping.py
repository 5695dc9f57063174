"""Stop requests: the first signal asks, the second ends, and the handlers are put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.stopping import StopRequest, stop_requests


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """A stop request without signals."""
    with closing(StopRequest()) as request:
        yield request


def test_nothing_is_requested_at_first(stop: StopRequest) -> None:
    assert not stop.is_requested
    assert stop.signal_number == 0
    assert stop.wait(0) is False
    assert stop.wait(-1) is False


def test_a_request_is_kept(stop: StopRequest) -> None:
    stop.request(signal.SIGINT)
    assert stop.is_requested
    assert stop.signal_number == signal.SIGINT
    started = time.monotonic()
    assert stop.wait(60)
    assert stop.wait(60)
    assert time.monotonic() - started < 30


def test_a_wait_ends_by_itself(stop: StopRequest) -> None:
    started = time.monotonic()
    assert stop.wait(0.02) is False
    assert time.monotonic() - started >= 0.02


def test_a_request_ends_a_wait(stop: StopRequest) -> None:
    timer = threading.Timer(0.02, stop.request)
    timer.start()
    started = time.monotonic()
    assert stop.wait(60)
    assert time.monotonic() - started < 30
    timer.join()


def test_many_requests_are_one(stop: StopRequest) -> None:
    for _ in range(1_000):
        stop.request()
    assert stop.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_request(number: signal.Signals) -> None:
    with stop_requests() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert stop.signal_number == number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_wait(number: signal.Signals) -> None:
    with stop_requests() as stop:
        timer = threading.Timer(0.02, os.kill, (os.getpid(), number))
        timer.start()
        started = time.monotonic()
        assert stop.wait(60)
        assert time.monotonic() - started < 30
        timer.join()


def test_the_handlers_are_put_back_whatever_happens() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(ZeroDivisionError), stop_requests():
        _ = 1 / (signal.getsignal(signal.SIGTERM) in before)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


_TWO_SIGNALS = """
import os, signal, sys
from shared.stopping import stop_requests
with stop_requests() as stop:
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    assert stop.wait(60)
    print("draining", flush=True)
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    signal.pause()
print("never")
"""


@pytest.mark.parametrize(
    ("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM")]
)
def test_the_second_signal_ends_at_once(first: str, second: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _TWO_SIGNALS, first, second], capture_output=True, timeout=60, check=False, text=True
    )
    assert ended.stdout == "draining\n"
    assert ended.stderr == ""
    assert ended.returncode == -signal.Signals[second]
