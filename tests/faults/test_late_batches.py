"""What a dead connection had sent arrives late, or the reply to it is lost: nothing is doubled, nothing torn.

The link holds a request back, cuts the producer off, and delivers it when the test says so, over the connection that
the server still believes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server_a.run.outcome import RunSummary
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values

if TYPE_CHECKING:
    import redis

COUNT = 25_000
# Requests of a run of 25 batches, in their order, each once: making the staging key, writing into it, publishing.
REQUESTS = [
    (b"\nEXPIRE", 1),
    (b"LPUSHX", 1),
    (b"LPUSHX", 9),
    (b"LPUSHX", 24),
    (b"WATCH", 1),
    (b"LLEN", 1),
    (b"RENAME", 1),
]


def _exact(summary: RunSummary, hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    """Check that the values stand there once, that B says so, and that no second list is left but one that expires."""
    assert stored_values(client, keys, summary.segments) == numbers(COUNT)
    report = hand_over.consume()
    assert (report.verdict, report.digest, report.run_id) == ("verified", summary.digest, summary.run_id)
    own = {keys.segment(number) for number in range(1, summary.segments + 1)}
    assert all(client.ttl(key) > 0 for key in list_keys(client, keys) - own)


@pytest.mark.parametrize(("request_text", "nth"), REQUESTS)
def test_a_request_that_arrives_after_the_run_changes_nothing(
    *,
    request_text: bytes,
    nth: int,
    hand_over: HandOver,
    link: FaultyLink,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    link.hold(request_text, nth=nth)
    summary = hand_over.produce(url=link.url, count=COUNT)
    assert (summary.attempts, link.cuts) == (2, 1)
    before = client.dump(keys.segment(1)), client.hgetall(keys.state(keys.segment(1)))
    assert link.deliver_held()
    assert (client.dump(keys.segment(1)), client.hgetall(keys.state(keys.segment(1)))) == before
    _exact(summary, hand_over, client, keys)


@pytest.mark.parametrize(("request_text", "nth"), REQUESTS)
@pytest.mark.parametrize("moment", [b"UNLINK", b"LPUSHX", b"RENAME"])
def test_a_request_that_arrives_during_the_next_attempt_changes_nothing(
    *,
    request_text: bytes,
    nth: int,
    moment: bytes,
    hand_over: HandOver,
    link: FaultyLink,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    late: list[bytes] = []
    link.hold(request_text, nth=nth)
    link.at(request_text, lambda: link.at(moment, lambda: late.append(link.deliver_held())), nth=nth)
    summary = hand_over.produce(url=link.url, count=COUNT)
    assert (summary.attempts, link.cuts) == (2, 1)
    assert len(late) == 1
    assert late[0]  # the server answered
    _exact(summary, hand_over, client, keys)


@pytest.mark.parametrize(("request_text", "nth"), REQUESTS)
def test_a_lost_reply_doubles_nothing(
    *, request_text: bytes, nth: int, hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    link.lose_reply(request_text, nth=nth)
    summary = hand_over.produce(url=link.url, count=COUNT)
    # A publication whose reply was lost has happened, and is not done again.
    assert summary.attempts == (1 if request_text == b"RENAME" else 2)
    assert summary.lost_acknowledged == 0
    assert summary.outage_s > 0
    _exact(summary, hand_over, client, keys)
    assert list_keys(client, keys) == {keys.segment(1)}


def test_a_signal_whose_reply_is_lost_is_sent_again_and_taken_for_what_it_is(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    link.lose_reply(b"XADD", nth=2)
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=10_000)
    assert client.xlen(keys.signals()) in {4, 5}  # those that were sent together are sent again together
    assert summary.attempts == 3
    _exact(summary, hand_over, client, keys)
    with pytest.raises(Exception, match="complete run within"):
        hand_over.consume(wait_s=0.3)
    assert len(hand_over.reports) == 1
    assert client.xpending(keys.signals(), "server-b")["pending"] == 0
    assert not client.exists(keys.dead_letters())


@pytest.mark.parametrize("request_text", [b"XADD", b"finished_ms", b"published", b"HSETNX", b"sku:", b"XRANGE"])
def test_any_other_lost_reply_or_late_request_is_survived(
    *, request_text: bytes, hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    link.hold(request_text)
    link.lose_reply(request_text, nth=2)
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=10_000)
    link.deliver_held()
    assert client.hget(keys.sku("sku123"), "name") == b"AirPods"
    _exact(summary, hand_over, client, keys)


def test_a_late_retirement_does_not_touch_a_newer_run(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=50_000, segment_values=10_000)
    link.hold(b":state\r\n$9\r\n604800000")  # PEXPIRE of a state that is retired, with the rest of its transaction
    hand_over.produce(url=link.url, count=10_000, segment_values=5_000)
    summary = hand_over.produce(count=COUNT, segment_values=5_000)
    link.deliver_held()
    _exact(summary, hand_over, client, keys)


# A segment of 10,000 values has some 110,000 bytes; a connection carries one segment after the other.
@pytest.mark.parametrize(("byte_count", "cuts"), [(5_000, 7), (70_000, 7), (130_000, 1)])
def test_many_cuts_in_one_run_are_survived(
    *, byte_count: int, cuts: int, hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    # Not before the run has begun: an endpoint that has never answered is not tried again.
    link.at(b"HSETNX", lambda: link.cut_after("to_server", byte_count, times=cuts))
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=10_000)
    assert link.cuts == cuts
    assert summary.attempts > 3
    _exact(summary, hand_over, client, keys)
