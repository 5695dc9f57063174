"""A follower whose connection ends in the middle: what was begun is ended, once, or given up in time."""

from __future__ import annotations

import time

import pytest

from server_b import serving
from shared.errors import EndpointUnreachableError, NotFinishedError
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following
from tests.stage.replicas import ReplicatedPair
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

LOST = [
    (b"XREVRANGE", 1), (b"XREAD", 1), (b"XREAD", 3), (b"TIME", 1), (b"TIME", 3), (b"state", 1), (b"run:", 1),
    (b"LLEN", 1), (b"LRANGE", 1), (b"LRANGE", 12), (b"max_value_bytes", 4), (b"cart:1", 1), (b"sku:", 1),
]  # fmt: skip
# LRANGE key -1 -1, which each reading of a segment asks for once
OLDEST_VALUE = b"$2\r\n-1\r\n$2\r\n-1\r\n"


@pytest.mark.parametrize(("request_text", "nth"), LOST)
def test_a_lost_reply_costs_a_second_reading_at_most(
    *, request_text: bytes, nth: int, following: Following, pair: ReplicatedPair
) -> None:
    """Also while the report is made, when the run is complete already."""
    run_id = following.produce(count=30_000, segment_values=10_000)
    with FaultyLink(pair.replica.port) as link:
        link.lose_reply(request_text, nth=nth)
        report = following.follow(url=link.url)
    assert link.cuts == 1
    assert (report.run_id, report.verdict, len(report.carts)) == (run_id, "verified", 1)
    assert len(following.replica.reports) == 1
    assert following.checkpoint()["reported"].keys() == {run_id}


def test_a_link_that_cuts_every_reading_ends_with_the_wait(following: Following, pair: ReplicatedPair) -> None:
    following.produce(count=50_000)
    with FaultyLink(pair.replica.port) as link:
        link.cut_after("to_client", 60_000, times=None)
        with pytest.raises(NotFinishedError) as caught:
            following.follow(url=link.url, wait_s=1.0)
        assert link.cuts > 1
    assert caught.value.expected == "a complete run within 1 s"
    assert following.replica.reports == []


def test_a_link_that_cuts_every_reading_is_given_up_without_a_wait(
    following: Following, pair: ReplicatedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_FAULTS", 5)
    monkeypatch.setattr(serving, "MAX_FAULTS_S", 0.0)
    following.produce(count=50_000)
    with FaultyLink(pair.replica.port) as link:
        link.cut_after("to_client", 60_000, times=5)
        with pytest.raises(EndpointUnreachableError):
            following.follow(url=link.url, wait_s=None)
    assert link.cuts == 5


def test_a_reading_that_is_cut_once_may_outlast_the_wait(following: Following, pair: ReplicatedPair) -> None:
    run_id = following.produce(count=50_000)
    with FaultyLink(pair.replica.port) as link:
        wait_is_over_at = time.monotonic() + 1.5

        def outlast() -> None:
            wait_until(lambda: time.monotonic() > wait_is_over_at, description="the wait is over")

        link.at(b"LRANGE", outlast, nth=10, is_forwarded=False)
        assert following.follow(url=link.url, wait_s=1.0).run_id == run_id
    assert link.cuts == 1


def test_faults_are_counted_for_each_entry_anew(
    following: Following, pair: ReplicatedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_FAULTS", 2)
    monkeypatch.setattr(serving, "MAX_FAULTS_S", 0.0)
    run_id = following.produce(count=30, segment_values=10)
    with FaultyLink(pair.replica.port) as link:
        for nth in (1, 3, 5):
            link.lose_reply(OLDEST_VALUE, nth=nth)
        assert following.follow(url=link.url).run_id == run_id
    assert link.cuts == 3
