"""A verdict counts where attempt, digest, count and number of segments are the signal's, whatever it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from server_b.report.standing import read_standing
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, Group, HandOver, entries_of

if TYPE_CHECKING:
    import redis

SEGMENTS = 3
OTHERS = [{"count": 9}, {"segments": 2}, {"segments": 9}, {"digest": DIGEST}, {"count": 11, "digest": DIGEST}]


def _produced(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> tuple[str, list[Signal]]:
    run_id = hand_over.produce(count=SEGMENTS * 10, segment_values=10).run_id
    return run_id, [Signal.decode(fields) for _, fields in entries_of(client, keys.signals())]


def _verdict_on(signal: Signal, kind: str) -> SegmentVerdict:
    said = (signal.segment, signal.segments, signal.count, signal.digest)
    return SegmentVerdict(kind, signal.attempt, *said, reason="said before")


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("kind", [VERIFIED, FAILED, SUPERSEDED])
@pytest.mark.parametrize("other", OTHERS)
def test_a_verdict_on_something_else_than_the_signal_says_is_replaced(
    *,
    number: int,
    kind: str,
    other: dict[str, Any],
    hand_over: HandOver,
    client: redis.Redis,
    endpoint: Endpoint,
    keys: Keyspace,
) -> None:
    run_id, signals = _produced(hand_over, client, keys)
    said = replace(_verdict_on(signals[number - 1], kind), **other)
    client.hset(keys.result(run_id), str(number), said.encode())
    report = hand_over.consume()
    assert (report.run_id, report.verdict, report.count) == (run_id, VERIFIED, SEGMENTS * 10)
    stands = read_standing(endpoint, keys, run_id).verdicts[number]
    assert (stands.verdict, stands.said) == (VERIFIED, _verdict_on(signals[number - 1], VERIFIED).said)


@pytest.mark.parametrize("other", [{"digest": DIGEST}, {"count": 9}, {"segments": 9}])
@pytest.mark.parametrize("has_record", [True, False])
def test_a_signal_that_was_damaged_on_the_way_takes_no_verdict_away(
    *,
    other: dict[str, Any],
    has_record: bool,
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
    group: Group,
) -> None:
    run_id, signals = _produced(hand_over, client, keys)
    assert hand_over.consume().verdict == VERIFIED
    before = client.hgetall(keys.result(run_id))
    if not has_record:
        client.delete(keys.run(run_id))
    client.xadd(keys.signals(), replace(signals[1], **other).encode())  # type: ignore[arg-type]
    client.xadd(keys.signals(), signals[1].encode())  # type: ignore[arg-type]
    report = hand_over.consume(run_id=run_id)
    assert (report.verdict, report.count) == (VERIFIED, SEGMENTS * 10)
    assert group.pending() == {}
    assert client.hgetall(keys.result(run_id)) == before


@pytest.mark.parametrize("text", [b'{"verdict":"v', b'"attempt":"2', b'"segment":1,', b'"digest":"', b'"reason":""'])
def test_a_verdict_that_was_damaged_on_the_way_holds_back_no_other_and_is_given_again(
    *, text: bytes, hand_over: HandOver, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    """It is all that the result holds when the next one comes, and proves to be ours all the same."""
    run_id, _ = _produced(hand_over, client, keys)
    link.rewrite(text, text[:-1] + b"\xb6")
    with pytest.raises(NotFinishedError):
        hand_over.consume(url=link.url, wait_s=0.5)
    assert client.hlen(keys.result(run_id)) == SEGMENTS
    assert not client.exists(keys.dead_letters())
    hand_over.produce(resume=run_id)
    assert hand_over.consume(run_id=run_id).verdict == VERIFIED


def test_a_result_of_somebody_elses_is_left_as_it_is(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    run_id, _ = _produced(hand_over, client, keys)
    client.hset(keys.result(run_id), "1", '{"segment":1,"digest":"theirs"}')
    before = client.hgetall(keys.result(run_id))
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=2.0)
    assert client.hgetall(keys.result(run_id)) == before
    assert client.xlen(keys.dead_letters()) == SEGMENTS
