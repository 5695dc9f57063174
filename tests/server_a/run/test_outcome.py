"""A's waiting for B's verdict: it outlasts lost connections, and ends when its time is up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_a.run.outcome import await_verdict
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver

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


def test_the_verdict_is_told(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis, stop: StopRequest
) -> None:
    verified = hand_over.produce(count=10)
    hand_over.consume()
    assert await_verdict(endpoint, keys, verified.run_id, attempts={}, limit_s=0, stop=stop) == "verified"
    superseded, failed = hand_over.produce(count=10), hand_over.produce(count=20, segment_values=10)
    client.lset(keys.segment(2), 0, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    with pytest.raises(VerificationFailedError, match="segment 2: changed"):
        await_verdict(endpoint, keys, failed.run_id, attempts={}, limit_s=0, stop=stop)
    with pytest.raises(NotFinishedError, match="superseded"):
        await_verdict(endpoint, keys, superseded.run_id, attempts={}, limit_s=0, stop=stop)


def test_lost_connections_are_outlasted(
    hand_over: HandOver, linked: Endpoint, link: FaultyLink, keys: Keyspace, stop: StopRequest
) -> None:
    summary = hand_over.produce(count=10)
    link.at(b"HGETALL", hand_over.consume, is_forwarded=False)
    link.lose_reply(b"HGETALL", nth=2)
    assert await_verdict(linked, keys, summary.run_id, attempts={}, limit_s=10, stop=stop) == "verified"
    assert link.cuts == 2


def test_time_that_is_up_and_a_stop_request_end_it(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, stop: StopRequest
) -> None:
    summary = hand_over.produce(count=10)
    with pytest.raises(NotFinishedError, match="server-a check --peer-url"):
        await_verdict(endpoint, keys, summary.run_id, attempts={}, limit_s=0, stop=stop)
    stop.request()
    with pytest.raises(NotFinishedError):
        await_verdict(endpoint, keys, summary.run_id, attempts={}, limit_s=60, stop=stop)


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
