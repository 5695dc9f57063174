"""A consumer whose connection, group or time ends in the middle: what was begun is ended by it or by another."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_b import lease
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver, entries_of

if TYPE_CHECKING:
    import redis


def test_a_reading_that_outlasts_a_stop_request_gives_its_entry_back(
    hand_over: HandOver, group: Group, link: FaultyLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DRAIN_S", 0.0)
    hand_over.produce(count=50_000)
    with closing(StopRequest()) as stop:
        link.at(b"LRANGE", stop.request, nth=10)
        with pytest.raises(NotFinishedError) as caught:
            hand_over.consume(url=link.url, stop=stop)
    assert caught.value.exit_code == 75
    assert "entry given back" in hand_over.events()
    assert group.pending() == {"b": 1}
    assert hand_over.consume(consumer="c", claim_idle_ms=30_000).verdict == "verified"


def test_a_stop_request_while_the_list_is_awaited_gives_the_entry_back(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    client.xadd(keys.signals(), Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode())  # type: ignore[arg-type]
    with closing(StopRequest()) as stop:
        link.at(b"state", stop.request, nth=3)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop)
    assert group.pending() == {"b": 1}
    assert group.member("c").claim(idle_ms=30_000, after="0-0")[1] is not None


@pytest.mark.parametrize(
    ("request_text", "nth"),
    [(b"XREADGROUP", 1), (b"XREADGROUP", 3), (b"XAUTOCLAIM", 1), (b"LRANGE", 1), (b"XACK", 2), (b"HLEN", 2)],
)
@pytest.mark.parametrize("is_stream_kept", [True, False])
def test_a_group_that_is_destroyed_is_made_again_and_the_run_completes(
    *,
    request_text: bytes,
    nth: int,
    is_stream_kept: bool,
    hand_over: HandOver,
    link: FaultyLink,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    summary = hand_over.produce(count=5_000, segment_values=1_000)
    client.xgroup_create(keys.signals(), CONSUMER_GROUP, id="0")

    def destroy() -> None:
        if is_stream_kept:
            client.xgroup_destroy(keys.signals(), CONSUMER_GROUP)
        else:
            entries = client.dump(keys.signals())
            client.delete(keys.signals())
            client.restore(keys.signals(), 0, entries)  # type: ignore[arg-type]
            client.xgroup_destroy(keys.signals(), CONSUMER_GROUP)

    link.at(request_text, destroy, nth=nth)
    report = hand_over.consume(url=link.url)
    assert (report.run_id, report.verdict, report.digest) == (summary.run_id, "verified", summary.digest)
    assert len(hand_over.reports) == 1


@pytest.mark.parametrize("request_text", [b"EVAL", b"XPENDING"])
def test_a_group_that_is_destroyed_before_a_renewal_or_a_count_is_made_again(
    *, request_text: bytes, hand_over: HandOver, group: Group, link: FaultyLink, client: redis.Redis, keys: Keyspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(lease, "BEAT_EVERY_S", 0.0)
    summary = hand_over.produce(count=20_000)
    assert group.member("b").read_new(block_ms=1)
    link.at(request_text, lambda: client.xgroup_destroy(keys.signals(), CONSUMER_GROUP))
    report = hand_over.consume(url=link.url, claim_idle_ms=1)
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")


def test_a_stream_that_is_gone_when_a_consumer_leaves_takes_no_verdict_away(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=500, segment_values=100)
    link.at(b"DELCONSUMER", lambda: client.delete(keys.signals()))
    report = hand_over.consume(url=link.url)
    assert (report.run_id, report.verdict, len(hand_over.reports)) == (summary.run_id, "verified", 1)


def test_a_redelivered_entry_of_a_complete_run_is_reported(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    """As when the reply to a signal was lost and it was sent again, and whoever took the second one was killed."""
    summary = hand_over.produce(count=30, segment_values=10)
    hand_over.consume()
    client.xadd(keys.signals(), entries_of(client, keys.signals())[-1][1])  # type: ignore[arg-type]
    assert group.member("killed").read_new(block_ms=1)
    hand_over.reports.clear()
    assert hand_over.consume(consumer="c", claim_idle_ms=1).run_id == summary.run_id
    assert len(hand_over.reports) == 1
    assert group.pending() == {}
    assert group.names() == {"killed"}


LOST = [
    (b"XREADGROUP", 1), (b"XREADGROUP", 2), (b"XREADGROUP", 3), (b"XAUTOCLAIM", 1), (b"XINFO", 1), (b"XGROUP", 1),
    (b"HGET", 1), (b"HGET", 2), (b"WATCH", 1), (b"LLEN", 1), (b"LRANGE", 1), (b"LRANGE", 20), (b"HLEN", 1),
    (b"HLEN", 2), (b"PEXPIRE", 3), (b"retain_ms", 1), (b"XACK", 1), (b"XACK", 3), (b"TIME", 1), (b"TIME", 4),
    (b"HMGET", 1), (b"HMGET", 3), (b":cart:1", 1), (b":sku:", 1), (b":result:", 3), (b"DELCONSUMER", 1),
]  # fmt: skip


@pytest.mark.parametrize(("request_text", "nth"), LOST)
def test_a_lost_reply_costs_a_second_reading_at_most(
    *, request_text: bytes, nth: int, hand_over: HandOver, link: FaultyLink, group: Group
) -> None:
    summary = hand_over.produce(count=30_000, segment_values=10_000)
    link.lose_reply(request_text, nth=nth)
    report = hand_over.consume(url=link.url)
    assert (report.run_id, report.verdict, report.digest) == (summary.run_id, "verified", summary.digest)
    assert (report.first[0], report.last, len(report.carts)) == ("30000", "1", 1)
    assert len(hand_over.reports) == 1
    assert link.cuts <= 1


@pytest.mark.parametrize(("byte_count", "times"), [(3_000, 3), (20_000, 12), (60_000, 12)])
def test_many_cuts_in_one_reading_are_survived(
    byte_count: int, times: int, hand_over: HandOver, link: FaultyLink
) -> None:
    summary = hand_over.produce(count=100_000)
    link.at(b"LRANGE", lambda: link.cut_after("to_client", byte_count, times=times))
    report = hand_over.consume(url=link.url, wait_s=60.0)
    assert (report.verdict, report.digest, link.cuts) == ("verified", summary.digest, times)
