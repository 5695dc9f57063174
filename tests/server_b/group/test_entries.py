"""How often an entry was delivered: what is not its own fault does not count, and nothing is given up for it."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_b import serving
from server_b.lease import Lease
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.errors import EndpointUnreachableError, NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from shared.witness import Witness
from tests.stage.clocks import Clock
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_by_programs import lines_of
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver
from tests.stage.programs import StartProgram, run_program
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis


def _signal_without_a_list(client: redis.Redis, keys: Keyspace) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]


def test_deliveries_that_an_outage_ended_are_not_counted_by_whoever_comes_next(
    hand_over: HandOver, group: Group, link: FaultyLink
) -> None:
    summary = hand_over.produce(count=10)
    with closing(StopRequest()) as stop:
        for nth in range(1, 8):
            link.at(b"\nHGET\r", lambda: None, nth=nth, is_forwarded=False)
        link.at(b"\nHGET\r", stop.request, nth=8, is_forwarded=False)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, max_deliveries=2, wait_s=60.0)
    assert link.cuts == 8
    assert group.deliveries() == [0]
    report = hand_over.consume(consumer="c", max_deliveries=1)
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")


def test_replies_that_were_lost_before_we_saw_the_entry_are_not_counted(hand_over: HandOver, link: FaultyLink) -> None:
    summary = hand_over.produce(count=10)
    for nth in range(2, 8):
        link.lose_reply(b"XREADGROUP", nth=nth)
    report = hand_over.consume(url=link.url, max_deliveries=1, wait_s=60.0)
    assert link.cuts == 6
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")


def test_an_entry_given_back_at_a_stop_counts_as_if_it_had_not_been_delivered(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    _signal_without_a_list(client, keys)
    for _ in range(3):
        with closing(StopRequest()) as stop:
            link.at(b"state", stop.request, nth=3)
            with pytest.raises(NotFinishedError):
                hand_over.consume(url=link.url, stop=stop, max_deliveries=1)
        assert group.deliveries() == [0]
    assert not hand_over.reports


def test_a_wait_that_is_over_before_the_list_was_missed_does_not_count(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    _signal_without_a_list(client, keys)
    for _ in range(3):
        with pytest.raises(NotFinishedError):
            hand_over.consume(wait_s=0.1, max_deliveries=1)
        assert group.deliveries() == [0]
    with pytest.raises(VerificationFailedError):
        hand_over.consume(settle_s=0.0, max_deliveries=1)
    assert hand_over.reports[-1].reason == "segment 1: never arrived"
    assert hand_over.reports[-1].witness == Witness("never_arrived", 1)


def test_an_entry_that_never_comes_through_ends_the_program_and_is_not_given_up(
    hand_over: HandOver, link: FaultyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_FAULTS", 5)
    monkeypatch.setattr(serving, "MAX_FAULTS_S", 0.0)
    hand_over.produce(count=10)
    for nth in range(1, 6):
        link.at(b"LRANGE", lambda: None, nth=nth, is_forwarded=False)
    with pytest.raises(EndpointUnreachableError):
        hand_over.consume(url=link.url, max_deliveries=3)
    assert link.cuts == 5
    assert hand_over.consume(consumer="c", claim_idle_ms=100, max_deliveries=3).verdict == "verified"


def test_an_entry_left_pending_is_claimed_at_once_when_its_consumer_has_ended(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    _signal_without_a_list(client, keys)
    with pytest.raises(NotFinishedError):
        hand_over.consume(settle_s=0.0, wait_s=0.3)
    assert "list not there yet, left pending" in hand_over.events()
    assert group.member("c").claim(idle_ms=30_000, after="0-0")[1] is not None


class _StopOfClock(StopRequest):
    """Nobody requests a stop, and a wait for it lets the clock's seconds go by at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> bool:
        self._clock.move(seconds)
        return False


def test_a_claim_is_renewed_in_time_however_short_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ConsumerSettings(consumer="b", claim_idle_ms=150)
    clock = Clock()
    renewed = [clock.monotonic()]

    def renew() -> bool:
        renewed.append(clock.monotonic())
        return True

    monkeypatch.setattr("server_b.lease.time", clock)
    with closing(_StopOfClock(clock)) as stop:
        lease = Lease(settings, stop, log=None, endpoint="")  # type: ignore[arg-type] # has nothing to log
        lease.hold("1-0", renew)
        lease.pause(1.5)
        times = [*renewed, clock.monotonic()]
        assert max(later - earlier for earlier, later in pairwise(times)) < 0.150
        lease.release("1-0")
        lease.pause(0.2)
    assert renewed == times[:-1]


def test_the_newest_signal_is_found_behind_what_is_none(
    group: Group, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    assert group.member("b").newest_signal() is None
    signal = Signal(OLDER, RUN, 1, 1, 10, DIGEST)
    client.xadd(keys.signals(), signal.encode())  # type: ignore[arg-type]
    for _ in range(3):
        client.xadd(keys.signals(), {"not": "a signal"})
    assert group.member("b").newest_signal() == signal


def test_a_consumer_name_that_is_no_text_keeps_nobody_out(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server_b.group.signal_group.SILENT_CONSUMER_MS", -1)
    client.xgroup_createconsumer(keys.signals(), "server-b", b"\xff\xfe")
    hand_over.produce(count=10)
    assert hand_over.consume().verdict == "verified"


def test_a_retried_letter_is_reported_by_a_consumer_that_serves(
    *,
    server: Server,
    namespace: str,
    client: redis.Redis,
    keys: Keyspace,
    hand_over: HandOver,
    start_program: StartProgram,
) -> None:
    hand_over.produce(count=10)
    values = client.dump(keys.segment(1))
    client.set(keys.segment(1), "x")
    serving = start_program("server-b", "run", "--json", server=server, namespace=namespace)
    wait_until(lambda: len(lines_of(serving)) == 1, description="the failed run is reported")
    client.restore(keys.segment(1), 0, values, replace=True)  # type: ignore[arg-type]
    assert run_program("server-b", "dead", "retry", server=server, namespace=namespace).exit_code == 0
    wait_until(lambda: len(lines_of(serving)) == 2, description="the run is reported again")
    assert [line["verdict"] for line in lines_of(serving)] == ["failed", "verified"]
