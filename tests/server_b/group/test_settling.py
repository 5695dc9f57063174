"""What a verdict says of its own making: how often the entry was delivered, from whom it was claimed, what was out."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_b.group import entries as entry_source
from server_b.report.standing import read_standing
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from shared.verdict import SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import Group, HandOver

if TYPE_CHECKING:
    import redis

COUNT = 50_000
LEAST_PAUSE_MS = 300


def _verdict(endpoint: Endpoint, keys: Keyspace, run_id: str, segment: int = 1) -> SegmentVerdict:
    return read_standing(endpoint, keys, run_id).verdicts[segment]


@pytest.mark.parametrize("request_text", [b"LRANGE", b"TIME", b"\nHGET\r", b"LLEN"])
def test_a_verdict_names_the_outage_while_its_entry_was_in_hand(
    *,
    request_text: bytes,
    hand_over: HandOver,
    link: FaultyLink,
    endpoint: Endpoint,
    keys: Keyspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.endpoint.retry.FIRST_PAUSE_S", 2 * LEAST_PAUSE_MS / 1_000)  # half of it may be jitter
    summary = hand_over.produce(count=COUNT)
    times: list[int] = []

    def note_time() -> None:
        times.append(endpoint.server_us(keys.signals()) // 1_000)

    def cut() -> None:
        note_time()
        link.cut()
        note_time()

    link.at(request_text, cut, nth=40 if request_text == b"LRANGE" else 1)
    assert hand_over.consume(url=link.url).verdict == VERIFIED
    assert link.cuts > 0
    note_time()
    verdict = _verdict(endpoint, keys, summary.run_id)
    ((began_ms, ended_ms),) = verdict.outages
    before_ms, _, reported_ms = times
    # replies that had come before the cut are read, and count, after it, however late; then comes the pause
    assert ended_ms - began_ms >= LEAST_PAUSE_MS - 10, "it begins before the pause"
    # a millisecond of the server's clock may be over when its reply is read
    assert before_ms <= ended_ms <= reported_ms + 1
    assert (verdict.deliveries, verdict.claimed_from) == (1, "")


def test_an_outage_is_named_once_and_by_no_entry_that_came_later(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=30, segment_values=10)
    link.at(b":2}:state", link.cut)
    assert hand_over.consume(url=link.url).verdict == VERIFIED
    named = [len(_verdict(endpoint, keys, summary.run_id, number).outages) for number in (1, 2, 3)]
    assert named == [1, 0, 0]  # the first one was in hand, too


def test_an_outage_that_was_over_before_the_signal_came_is_not_named(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    run_ids: list[str] = []
    link.at(b"XREADGROUP", link.cut, nth=3)
    link.at(b"XREADGROUP", lambda: run_ids.append(hand_over.produce(count=10).run_id), nth=8)
    assert hand_over.consume(url=link.url, wait_s=60.0).verdict == VERIFIED
    assert "endpoint lost, trying again" in hand_over.events()
    assert _verdict(endpoint, keys, run_ids[0]).outages == []


def test_a_verdict_without_a_reading_names_its_outage_too(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    older = hand_over.produce(count=10)
    hand_over.produce(count=10)
    link.at(b"\nHGET\r", link.cut)
    assert hand_over.consume(url=link.url).verdict == VERIFIED
    verdict = _verdict(endpoint, keys, older.run_id)
    assert (verdict.verdict, len(verdict.outages)) == (SUPERSEDED, 1)


def test_a_verdict_on_a_claimed_entry_says_from_whom_and_which_delivery_it_was(
    *, hand_over: HandOver, group: Group, endpoint: Endpoint, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_source, "CLAIM_EVERY_S", 0.0)
    summary = hand_over.produce(count=40, segment_values=10)
    for name in ("one", "two", "one"):
        assert group.member(name).read_new(block_ms=1)
    assert group.member("two").claim(idle_ms=0, after="0-0")[1] is not None  # segment 1, from the first consumer
    assert hand_over.consume(claim_idle_ms=1).verdict == VERIFIED
    verdicts = read_standing(endpoint, keys, summary.run_id).verdicts
    told = [(verdicts[n].deliveries, verdicts[n].claimed_from, verdicts[n].consumer) for n in (1, 2, 3, 4)]
    assert told == [(3, "two", "b"), (2, "two", "b"), (2, "one", "b"), (1, "", "b")]


def test_an_outage_makes_no_delivery_and_hides_no_claim(
    *, hand_over: HandOver, group: Group, link: FaultyLink, endpoint: Endpoint, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=COUNT)
    assert group.member("killed").read_new(block_ms=1)
    for nth in (40, 80):
        link.at(b"LRANGE", link.cut, nth=nth)
    assert hand_over.consume(url=link.url, claim_idle_ms=100, max_deliveries=2).verdict == VERIFIED
    verdict = _verdict(endpoint, keys, summary.run_id)
    assert (verdict.deliveries, verdict.claimed_from, len(verdict.outages)) == (2, "killed", 2)


def test_an_entry_that_was_given_back_counts_the_reading_that_gave_its_verdict(
    *, hand_over: HandOver, group: Group, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """A stop is no fault of the entry's: its delivery does not count, and the next verdict names who was stopped."""
    summary = hand_over.produce(count=10)
    state = keys.state(keys.segment(1))
    kept = f"{keys.prefix}kept"
    client.rename(state, kept)
    with closing(StopRequest()) as stop:
        link.at(b"}:state", stop.request, nth=3)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop)
    assert group.deliveries() == [0]
    client.rename(kept, state)
    assert hand_over.consume(consumer="c").verdict == VERIFIED
    verdict = _verdict(endpoint, keys, summary.run_id)
    assert (verdict.deliveries, verdict.claimed_from, verdict.consumer) == (1, "b", "c")
