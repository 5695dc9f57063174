"""Patience: what is repeated, for how long, and what an outage cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from shared.endpoint import patience as patience_module
from shared.endpoint.patience import Patience
from shared.errors import ConnectionLostError, EndpointUnreachableError, NotFinishedError, WrongKeyError
from shared.stopping import StopRequest

SILENT = ConnectionLostError(where="redis://h", expected="an answer", got="none", advice="look")
NOT_READY = ConnectionLostError(where="redis://h", expected="a ready server", got="LOADING", answered=True)


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """A stop request without signals."""
    with closing(StopRequest()) as request:
        yield request


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(patience_module, "LONGEST_PAUSE_S", 0.004)


class Outages:
    """What was told of outages."""

    def __init__(self) -> None:
        """Start with none."""
        self.errors: list[ConnectionLostError] = []
        self.refreshes = 0

    def refresh(self) -> None:
        """Count a look at where the servers are, which fails."""
        self.refreshes += 1
        raise NOT_READY


def new_patience(limit_s: float, stop: StopRequest, outages: Outages | None = None) -> Patience:
    """Return a patience that tells of its outages."""
    outages = outages or Outages()
    return Patience(limit_s, stop, on_outage=outages.errors.append, refresh=outages.refresh)


def failing(times: int, error: Exception) -> Callable[[], int]:
    """Return an operation that fails so many times, then returns how often it was called."""
    calls = 0

    def operation() -> int:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        return calls

    return operation


def test_what_succeeds_is_done_once(stop: StopRequest) -> None:
    outages = Outages()
    patience = new_patience(60, stop, outages)
    assert patience.keep_trying(failing(0, SILENT)) == 1
    assert (patience.outages, patience.outage_s, outages.errors) == (0, 0.0, [])


@pytest.mark.parametrize("error", [SILENT, NOT_READY])
def test_transient_faults_are_waited_out_and_told_once_an_outage(stop: StopRequest, error: ConnectionLostError) -> None:
    outages = Outages()
    patience = new_patience(60, stop, outages)
    started = time.monotonic()
    assert patience.keep_trying(failing(5, error)) == 6
    elapsed = time.monotonic() - started
    assert (patience.outages, outages.errors) == (1, [error])
    assert 0 < patience.outage_s <= elapsed + 0.001
    patience.keep_trying(failing(0, error))
    assert patience.outages == 1
    patience.keep_trying(failing(2, error))
    assert (patience.outages, len(outages.errors)) == (2, 2)


@pytest.mark.parametrize(("error", "kind"), [(SILENT, EndpointUnreachableError), (NOT_READY, NotFinishedError)])
def test_the_end_of_patience_tells_whether_a_server_answered(
    stop: StopRequest, error: ConnectionLostError, kind: type[Exception]
) -> None:
    patience = new_patience(0.02, stop)
    started = time.monotonic()
    with pytest.raises(kind, match="redis://h") as caught:
        patience.keep_trying(failing(10**9, error))
    assert 0.02 <= time.monotonic() - started < 5
    assert caught.value.__cause__ is error


def test_without_patience_the_first_fault_is_the_last(stop: StopRequest) -> None:
    outages = Outages()
    operation = failing(1, SILENT)
    with pytest.raises(EndpointUnreachableError):
        new_patience(0, stop, outages).keep_trying(operation)
    assert operation() == 2
    assert outages.errors == [SILENT]


class Clock:
    """A clock that stands still unless it is told to go on."""

    def __init__(self) -> None:
        """Start somewhere."""
        self.now = 1_000.0

    def monotonic(self) -> float:
        """Return the time, in place of `time.monotonic`."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that patience looks at."""
    clock = Clock()
    monkeypatch.setattr(patience_module, "time", clock)
    return clock


def test_patience_counts_from_the_last_success_not_from_the_first_fault(stop: StopRequest, clock: Clock) -> None:
    """A server that takes connections and drops them can't hold a program for ever."""
    patience = new_patience(60, stop)
    for _ in range(5):
        clock.now += 50
        patience.succeeded()
    clock.now += 59.9
    patience.wait_out(SILENT)
    clock.now += 0.1
    with pytest.raises(EndpointUnreachableError):
        patience.wait_out(SILENT)


def test_a_success_gives_new_patience_and_ends_the_outage(stop: StopRequest, clock: Clock) -> None:
    patience = new_patience(60, stop)
    for _ in range(5):
        clock.now += 50
        patience.wait_out(SILENT)
        patience.succeeded()
    assert (patience.outages, patience.outage_s) == (5, 250)


def test_an_outage_lasts_from_the_last_success_to_the_next(stop: StopRequest, clock: Clock) -> None:
    patience = new_patience(60, stop)
    clock.now += 30
    patience.wait_out(SILENT)
    clock.now += 7
    patience.wait_out(SILENT)
    clock.now += 5
    patience.succeeded()
    clock.now += 30
    patience.succeeded()
    assert (patience.outages, patience.outage_s) == (1, 42)


def test_after_each_pause_servers_are_looked_for_whether_that_succeeds_or_not(stop: StopRequest) -> None:
    outages = Outages()
    assert new_patience(60, stop, outages).keep_trying(failing(3, SILENT)) == 4
    assert outages.refreshes == 3


def test_other_errors_are_not_repeated(stop: StopRequest) -> None:
    patience = new_patience(60, stop)
    operation = failing(1, WrongKeyError(where="biglist", expected="a list", got="a hash"))
    with pytest.raises(WrongKeyError):
        patience.keep_trying(operation)
    assert operation() == 2
    assert patience.outages == 0


def test_a_stop_request_ends_a_pause_at_once(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(patience_module, "LONGEST_PAUSE_S", 60.0)
    timer = threading.Timer(0.02, stop.request)
    timer.start()
    started = time.monotonic()
    with pytest.raises(NotFinishedError, match="a stop request"):
        new_patience(600, stop).keep_trying(failing(1, SILENT))
    assert time.monotonic() - started < 5
    timer.join()


def test_after_a_stop_request_nothing_is_repeated(stop: StopRequest) -> None:
    stop.request()
    operation = failing(1, SILENT)
    with pytest.raises(NotFinishedError):
        new_patience(600, stop).keep_trying(operation)
    assert operation() == 2


def test_pauses_grow_to_a_bound_and_have_jitter(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def note(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    monkeypatch.setattr(stop, "wait", note)
    monkeypatch.setattr(patience_module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(patience_module, "LONGEST_PAUSE_S", 2.0)
    new_patience(60, stop).keep_trying(failing(100, SILENT))
    bounds = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6] + [2.0] * 94
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses[6:])) > 80
