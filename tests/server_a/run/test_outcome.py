"""A's waiting for B's verdict: it outlasts lost connections, and ends when its time is up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, cast

import pytest

from server_a.run.outcome import await_verdict
from server_a.run.states import PublishedSegment
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.published import read_state
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest
from tests.stage.clusters import Cluster
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver
from tests.stage.migration import migration_of

if TYPE_CHECKING:
    import redis


@pytest.fixture
def stop() -> Iterator[StopRequest]:
    with closing(StopRequest()) as request:
        yield request


@pytest.fixture
def linked(link: FaultyLink) -> Iterator[Endpoint]:
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as opened:
        yield opened


@dataclass
class Produced:
    """A run that was just written, as its producer knows it."""

    keys: Keyspace
    record: RunRecord
    published: dict[int, PublishedSegment]

    def await_verdict(self, endpoint: Endpoint, stop: StopRequest, *, limit_s: float = 0) -> str:
        """Wait for the verdict on it."""
        return await_verdict(endpoint, self.keys, self.record, self.published, limit_s=limit_s, stop=stop)


@pytest.fixture
def produce(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> Callable[..., Produced]:
    """Writes a run."""

    def write(**options: Any) -> Produced:
        key = keys.run(hand_over.produce(**options).run_id)
        record = RunRecord.decode(key, cast("dict[bytes, bytes]", client.hgetall(key)))
        published = {}
        for number in range(1, record.segments + 1):
            state_key = keys.state(keys.segment(number))
            state = SegmentState.decode(state_key, cast("list[bytes]", client.hmget(state_key, SegmentState.FIELDS)))
            assert state is not None
            published[number] = PublishedSegment(state)
        return Produced(keys, record, published)

    return write


def test_the_verdict_is_told(
    *,
    hand_over: HandOver,
    produce: Callable[..., Produced],
    endpoint: Endpoint,
    keys: Keyspace,
    client: redis.Redis,
    stop: StopRequest,
) -> None:
    verified = produce(count=10)
    hand_over.consume()
    assert verified.await_verdict(endpoint, stop) == "verified"
    superseded, failed = produce(count=10), produce(count=20, segment_values=10)
    client.lset(keys.segment(2), 0, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    with pytest.raises(VerificationFailedError, match="segment 2: changed"):
        failed.await_verdict(endpoint, stop)
    with pytest.raises(NotFinishedError, match="superseded"):
        superseded.await_verdict(endpoint, stop)


def test_lost_connections_are_outlasted(
    hand_over: HandOver, produce: Callable[..., Produced], linked: Endpoint, link: FaultyLink, stop: StopRequest
) -> None:
    run = produce(count=10)
    link.at(b"HMGET", hand_over.consume, is_forwarded=False)
    link.lose_reply(b"HMGET", nth=2)
    link.at(b":state", lambda: None, is_forwarded=False)
    assert run.await_verdict(linked, stop, limit_s=60) == "verified"
    assert link.cuts == 3


def test_time_that_is_up_and_a_stop_request_end_it(
    produce: Callable[..., Produced], endpoint: Endpoint, stop: StopRequest
) -> None:
    run = produce(count=10)
    with pytest.raises(NotFinishedError, match="server-a check --peer-url"):
        run.await_verdict(endpoint, stop)
    stop.request()
    with pytest.raises(NotFinishedError) as caught:
        run.await_verdict(endpoint, stop, limit_s=60)
    assert (caught.value.got, caught.value.advice) == ("a stop request", "")


def test_a_fault_at_the_last_look_is_told_and_no_reason_to_write_anything_again(
    hand_over: HandOver, produce: Callable[..., Produced], linked: Endpoint, link: FaultyLink, stop: StopRequest
) -> None:
    run = produce(count=10)
    hand_over.consume()
    link.at(b":state", lambda: None, is_forwarded=False)
    with pytest.raises(NotFinishedError) as caught:
        run.await_verdict(linked, stop)
    assert "expected an answer" in caught.value.got
    assert "--resume" not in str(caught.value)


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@pytest.mark.parametrize("moves", ["biglist", "biglist:2", "signals"])
def test_a_slot_that_moves_alone_is_found_where_it_is(moves: str, cluster: Cluster, stop: StopRequest) -> None:
    """The slots of the other keys stay, so that what is asked of them goes well all the time."""
    hand_over = HandOver(cluster.url, Keyspace())
    with closing(open_endpoint(EndpointSettings(url=parse_url(cluster.url)))) as opened:
        key = hand_over.keys.run(hand_over.produce(count=20, segment_values=10, writers=1).run_id)
        record = RunRecord.decode(key, cast("dict[bytes, bytes]", opened.at(key).hgetall(key)))
        states = (read_state(opened, hand_over.keys, hand_over.keys.segment(number)) for number in (1, 2))
        published = {number: PublishedSegment(state) for number, state in enumerate(states, start=1) if state}
        hand_over.consume()
        migration_of(cluster, moves).carry_out(cluster.primaries())
        assert Produced(hand_over.keys, record, published).await_verdict(opened, stop, limit_s=60) == "verified"


# What a verdict may say otherwise than what was published; `later` is an attempt after it.
OTHERWISE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "digest": lambda verdict: {"digest": _flipped(verdict["digest"])},
    "count": lambda verdict: {"count": verdict["count"] + 1},
    "segments": lambda verdict: {"segments": verdict["segments"] + 1},
    "fewer_segments": lambda verdict: {"segments": max(verdict["segments"] - 1, verdict["segment"])},
    "earlier": lambda _: {"attempt": "20200101T000000000Z-abcdef"},
    "later_digest": lambda verdict: {"attempt": LATER, "digest": _flipped(verdict["digest"])},
    "later_count": lambda verdict: {"attempt": LATER, "count": verdict["count"] + 1},
    "later": lambda _: {"attempt": LATER},
}
LATER = "20991231T235959999Z-ffffff"


def _flipped(digest: str) -> str:
    return digest[:-1] + ("0" if digest[-1] != "0" else "1")


# A last segment whose verdict says fewer segments can't be: a segment can't be beyond the last one.
@pytest.mark.parametrize(
    ("otherwise", "segment"), [pair for pair in product(OTHERWISE, (1, 2, 3, 4)) if pair != ("fewer_segments", 4)]
)
def test_a_verdict_on_something_else_is_none(
    *,
    otherwise: str,
    segment: int,
    hand_over: HandOver,
    produce: Callable[..., Produced],
    endpoint: Endpoint,
    keys: Keyspace,
    client: redis.Redis,
    stop: StopRequest,
) -> None:
    run = produce(count=400, segment_values=100)
    hand_over.consume()
    key = keys.result(run.record.run_id)
    verdict = json.loads(cast("bytes", client.hget(key, str(segment))))
    client.hset(key, str(segment), json.dumps(verdict | OTHERWISE[otherwise](verdict)))
    with pytest.raises(NotFinishedError):
        run.await_verdict(endpoint, stop)
    client.hset(key, str(segment), json.dumps(verdict))
    assert run.await_verdict(endpoint, stop) == "verified"


def _lose_list_and_state(client: redis.Redis, state_key: str, list_key: str) -> None:
    client.delete(state_key, list_key)


def _lose_list_alone(client: redis.Redis, _state_key: str, list_key: str) -> None:
    client.delete(list_key)


def _cut_list(client: redis.Redis, _state_key: str, list_key: str) -> None:
    client.lpop(list_key)


def _name_another_attempt(client: redis.Redis, state_key: str, _list_key: str) -> None:
    client.hset(state_key, "attempt", LATER)


def _name_another_digest(client: redis.Redis, state_key: str, _list_key: str) -> None:
    client.hset(state_key, "digest", "0" * 32)


def _name_another_count(client: redis.Redis, state_key: str, _list_key: str) -> None:
    client.hset(state_key, "count", "99")


@pytest.mark.parametrize("segment", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "lose",
    [
        _lose_list_and_state,
        _lose_list_alone,
        _cut_list,
        _name_another_attempt,
        _name_another_digest,
        _name_another_count,
    ],
)
def test_a_verdict_on_what_is_there_no_more_is_none(
    *,
    lose: Callable[[redis.Redis, str, str], None],
    segment: int,
    hand_over: HandOver,
    produce: Callable[..., Produced],
    endpoint: Endpoint,
    keys: Keyspace,
    client: redis.Redis,
    stop: StopRequest,
) -> None:
    run = produce(count=400, segment_values=100)
    hand_over.consume()
    lose(client, keys.state(keys.segment(segment)), keys.segment(segment))
    with pytest.raises(NotFinishedError, match=f"segment {segment} lost or replaced") as caught:
        run.await_verdict(endpoint, stop)
    assert f"--resume {run.record.run_id}" in caught.value.advice


def test_a_verdict_on_an_earlier_attempt_says_nothing_of_what_is_there_now(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=10).run_id
    client.lset(keys.segment(1), 0, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    client.delete(keys.segment(1))
    with pytest.raises(NotFinishedError):  # and neither 65 nor, had it been verified, 0
        hand_over.produce(resume=run_id, await_verdict_s=0.3)
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    hand_over.produce(resume=run_id, await_verdict_s=0.3)
