"""Retries: what is repeated, for how long, and what an outage cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from shared.endpoint import retry as retry_module
from shared.endpoint.retry import Outage, Retry
from shared.errors import (
    EndpointUnreachableError,
    FullServerError,
    NotFinishedError,
    ReadOnlyEndpointError,
    TransientError,
    WrongKeyError,
)
from shared.stopping import StopRequest

SILENT = TransientError(where="redis://h", expected="an answer", got="none", advice="look")
NOT_READY = TransientError(where="redis://h", expected="a ready server", got="LOADING", answered=True)


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    """A stop request without signals."""
    with closing(StopRequest()) as request:
        yield request


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(retry_module, "LONGEST_PAUSE_S", 0.004)


class Outages:
    """What was told of outages."""

    def __init__(self) -> None:
        """Start with none."""
        self.errors: list[TransientError] = []
        self.refreshes = 0

    def refresh(self) -> None:
        """Count a look at where the servers are, which fails."""
        self.refreshes += 1
        raise NOT_READY


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
    """The clock that retries look at."""
    clock = Clock()
    monkeypatch.setattr(retry_module, "time", clock)
    return clock


def new_retry(
    limit_s: float, stop: StopRequest, outages: Outages | None = None, *, final: tuple[type[TransientError], ...] = ()
) -> Retry:
    """Return a retry that tells of its outages."""
    outages = outages or Outages()
    return Retry(limit_s, stop, on_outage=outages.errors.append, refresh=outages.refresh, final=final)


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
    retry = new_retry(60, stop, outages)
    assert retry.keep_trying(failing(0, SILENT)) == 1
    assert (retry.outage_count, retry.outages, outages.errors) == (0, [], [])
    assert (type(retry.outage_s), retry.outage_s) == (float, 0.0)


@pytest.mark.parametrize("error", [SILENT, NOT_READY])
def test_transient_faults_are_waited_out_and_told_once_an_outage(stop: StopRequest, error: TransientError) -> None:
    outages = Outages()
    retry = new_retry(60, stop, outages)
    started = time.monotonic()
    assert retry.keep_trying(failing(5, error)) == 6
    elapsed = time.monotonic() - started
    assert (retry.outage_count, outages.errors) == (1, [error])
    assert 0 < retry.outage_s <= elapsed + 0.001
    retry.keep_trying(failing(0, error))
    assert retry.outage_count == 1
    retry.keep_trying(failing(2, error))
    assert (retry.outage_count, len(outages.errors), len(retry.outages)) == (2, 2, 2)


@pytest.mark.parametrize(("error", "kind"), [(SILENT, EndpointUnreachableError), (NOT_READY, NotFinishedError)])
def test_the_end_of_retrying_tells_whether_a_server_answered(
    *,
    stop: StopRequest,
    error: TransientError,
    kind: type[Exception],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def let_go_by(seconds: float) -> bool:
        clock.now += seconds
        return False

    monkeypatch.setattr(stop, "wait", let_go_by)
    retry = new_retry(0.02, stop)
    started = clock.now
    with pytest.raises(kind, match="redis://h") as caught:
        retry.keep_trying(failing(10**9, error))
    assert 0.02 <= clock.now - started <= 0.02 + retry_module.LONGEST_PAUSE_S
    assert caught.value.__cause__ is error


def test_without_retries_the_first_fault_is_the_last(stop: StopRequest) -> None:
    outages = Outages()
    operation = failing(1, SILENT)
    with pytest.raises(EndpointUnreachableError):
        new_retry(0, stop, outages).keep_trying(operation)
    assert operation() == 2
    assert outages.errors == [SILENT]


def test_the_limit_counts_from_the_last_success_not_from_the_first_fault(stop: StopRequest, clock: Clock) -> None:
    """A server that takes connections and drops them can't hold a program for ever."""
    retry = new_retry(60, stop)
    for _ in range(5):
        clock.now += 50
        retry.succeeded()
    clock.now += 59.9
    retry.wait_out(SILENT)
    clock.now += 0.1
    with pytest.raises(EndpointUnreachableError):
        retry.wait_out(SILENT)


def test_a_success_gives_new_retry_and_ends_the_outage(stop: StopRequest, clock: Clock) -> None:
    retry = new_retry(60, stop)
    for _ in range(5):
        clock.now += 50
        retry.wait_out(SILENT)
        retry.succeeded()
    assert (retry.outage_count, len(retry.outages), retry.outage_s) == (5, 5, 250)


def test_an_outage_lasts_from_the_last_success_to_the_next(stop: StopRequest, clock: Clock) -> None:
    retry = new_retry(60, stop)
    began_s = clock.now
    clock.now += 30
    retry.wait_out(SILENT)
    clock.now += 7
    retry.wait_out(SILENT)
    clock.now += 5
    retry.succeeded()
    clock.now += 30
    retry.succeeded()
    assert (retry.outage_count, retry.outages, retry.outage_s) == (1, [Outage(began_s, began_s + 42)], 42)


def test_after_each_pause_servers_are_looked_for_whether_that_succeeds_or_not(stop: StopRequest) -> None:
    outages = Outages()
    assert new_retry(60, stop, outages).keep_trying(failing(3, SILENT)) == 4
    assert outages.refreshes == 3


def test_other_errors_are_not_repeated(stop: StopRequest) -> None:
    retry = new_retry(60, stop)
    operation = failing(1, WrongKeyError(where="biglist", expected="a list", got="a hash"))
    with pytest.raises(WrongKeyError):
        retry.keep_trying(operation)
    assert operation() == 2
    assert retry.outage_count == 0


def test_a_stop_request_ends_a_pause_at_once(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "FIRST_PAUSE_S", 120.0)  # half of it may be jitter
    monkeypatch.setattr(retry_module, "LONGEST_PAUSE_S", 120.0)
    timer = threading.Timer(0.02, stop.request)
    timer.start()
    started = time.monotonic()
    with pytest.raises(NotFinishedError, match="a stop request"):
        new_retry(600, stop).keep_trying(failing(1, SILENT))
    assert time.monotonic() - started < 30
    timer.join()


def test_after_a_stop_request_nothing_is_repeated(stop: StopRequest) -> None:
    stop.request()
    operation = failing(1, SILENT)
    with pytest.raises(NotFinishedError):
        new_retry(600, stop).keep_trying(operation)
    assert operation() == 2


def test_pauses_grow_to_a_bound_and_have_jitter(stop: StopRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def note(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    monkeypatch.setattr(stop, "wait", note)
    monkeypatch.setattr(retry_module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(retry_module, "LONGEST_PAUSE_S", 2.0)
    new_retry(60, stop).keep_trying(failing(100, SILENT))
    bounds = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6] + [2.0] * 94
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses[6:])) > 80


def test_an_outage_that_is_not_over_is_counted_and_not_listed(stop: StopRequest, clock: Clock) -> None:
    retry = new_retry(60, stop)
    clock.now += 30
    retry.wait_out(SILENT)
    assert (retry.outage_count, retry.outages, retry.outage_s) == (1, [], 0)


def test_a_fault_that_is_final_is_raised_at_once_and_is_no_outage(stop: StopRequest) -> None:
    """A replica stays one for whoever follows it: only a primary that becomes a replica is waited for."""
    outages = Outages()
    retry = new_retry(60, stop, outages, final=(ReadOnlyEndpointError,))
    operation = failing(1, ReadOnlyEndpointError(where="redis://h", expected="a primary", got="a replica"))
    with pytest.raises(ReadOnlyEndpointError):
        retry.keep_trying(operation)
    assert operation() == 2
    assert (retry.outage_count, outages.errors, outages.refreshes) == (0, [], 0)
    assert retry.keep_trying(failing(2, SILENT)) == 3


def test_an_operation_gets_its_arguments_at_each_try(stop: StopRequest) -> None:
    seen: list[tuple[int, str]] = []

    def operation(number: int, *, word: str) -> str:
        seen.append((number, word))
        if len(seen) < 3:
            raise SILENT
        return word * number

    assert new_retry(60, stop).keep_trying(operation, 2, word="ab") == "abab"
    assert seen == [(2, "ab")] * 3


def test_of_many_outages_the_newest_are_kept_and_all_are_counted(
    stop: StopRequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer serves for months."""
    monkeypatch.setattr(retry_module, "MAX_OUTAGES_KEPT", 3)
    retry = new_retry(60, stop)
    for _ in range(7):
        retry.wait_out(SILENT)
        clock.now += 2
        retry.succeeded()
    assert (retry.over_count, retry.outage_count, retry.outage_s) == (7, 7, 14)
    newest = [Outage(clock.now - 2 * back, clock.now - 2 * back + 2) for back in (3, 2, 1)]
    assert retry.outages == newest
    assert [retry.outages_since(told) for told in (0, 4, 5, 7)] == [newest, newest, newest[1:], []]


def test_our_own_work_is_no_silence_of_the_server(stop: StopRequest, clock: Clock) -> None:
    retry = new_retry(60, stop)
    clock.now += 100
    retry.worked_here()
    retry.wait_out(SILENT)
    clock.now += 2
    retry.worked_here()  # nothing has answered since: the outage goes on
    clock.now += 3
    retry.succeeded()
    assert (retry.outage_count, retry.outage_s) == (1, 5)


def test_a_stop_request_ends_the_wait_for_room_at_once(stop: StopRequest) -> None:
    full = FullServerError(where="redis://h", expected="memory", got="a full server")
    retry = new_retry(600, stop)
    retry.note_freeing()
    stop.request()
    operation = failing(1, full)
    with pytest.raises(NotFinishedError, match="redis://h: expected memory, got a stop request"):
        retry.keep_trying(operation)
    assert operation() == 2, "it was tried once"
