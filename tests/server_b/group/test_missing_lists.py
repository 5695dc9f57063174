"""Lists that have not come yet hold back no other, and the time of `--wait-s` runs on meanwhile."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_b.group.dead_letters import DeadLetters
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, Group, HandOver

if TYPE_CHECKING:
    import redis

LOST_SEGMENTS = 50


def _signals_without_lists(client: redis.Redis, keys: Keyspace, segments: int = LOST_SEGMENTS) -> None:
    for number in range(2, segments + 2):
        signal = Signal(OLDER, RUN, number, segments + 1, 10, DIGEST)
        client.xadd(keys.signals(), signal.encode())  # type: ignore[arg-type]


def test_missing_lists_hold_back_no_other(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    _signals_without_lists(client, keys)
    summary = hand_over.produce(count=10)
    assert hand_over.consume(settle_s=60).run_id == summary.run_id
    assert group.pending() == {"b": LOST_SEGMENTS}
    assert set(group.deliveries()) == {0}, "the wait did not end, so it was no delivery"


def test_the_wait_ends_in_time_however_many_lists_are_missing(
    hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    _signals_without_lists(client, keys)
    with pytest.raises(NotFinishedError) as caught:
        hand_over.consume(settle_s=0.2, claim_idle_ms=200, max_deliveries=2, wait_s=6.0)
    assert caught.value.expected == "a complete run within 6 s"
    # one after the other they would take ten seconds at least
    assert hand_over.events().count("list not there yet, taking others meanwhile") >= LOST_SEGMENTS


def test_lists_that_never_come_are_given_up_together(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    segments = 20
    for number in range(1, segments + 1):
        signal = Signal(OLDER, RUN, number, segments, 10, DIGEST)
        client.xadd(keys.signals(), signal.encode())  # type: ignore[arg-type]
    with pytest.raises(VerificationFailedError):
        hand_over.consume(settle_s=0.3, claim_idle_ms=100, max_deliveries=3, wait_s=60.0)
    letters = DeadLetters(endpoint, keys).list_letters()
    assert [letter.reason for letter in letters] == ["never arrived"] * segments


@pytest.mark.parametrize("lost_reply", [b"", b"XREADGROUP", b"HMGET", b"EVAL"])
def test_a_list_that_comes_late_is_read_once_it_is_there(
    *, lost_reply: bytes, hand_over: HandOver, group: Group, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=20, segment_values=10)
    away = {key: client.dump(key) for key in (keys.segment(1), keys.state(keys.segment(1)))}
    client.delete(*away)

    def come() -> None:
        for key, dumped in away.items():
            client.restore(key, 0, dumped)  # type: ignore[arg-type]

    link.at(b"}:state", come, nth=6)
    if lost_reply:
        link.lose_reply(lost_reply, nth=3 if lost_reply != b"EVAL" else 1)
    report = hand_over.consume(url=link.url, max_deliveries=1, settle_s=60)
    assert (report.run_id, report.verdict) == (summary.run_id, "verified")
    assert group.pending() == {}


@pytest.mark.parametrize("put", [("HSET", "run_id", "x"), ("SET", "x"), ("RPUSH", "x"), ("SADD", "x")])
@pytest.mark.parametrize("number", [2, 30])
def test_a_key_of_somebody_else_that_comes_instead_of_a_list_ends_its_entry_alone(
    *,
    put: tuple[str, ...],
    number: int,
    hand_over: HandOver,
    link: FaultyLink,
    endpoint: Endpoint,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    _signals_without_lists(client, keys)
    key = keys.state(keys.segment(number))
    link.at(b"}:state", lambda: client.execute_command(put[0], key, *put[1:]), nth=LOST_SEGMENTS + 2)
    with closing(StopRequest()) as stop:
        link.at(b"XADD", stop.request)  # its dead letter
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop)
    (letter,) = DeadLetters(endpoint, keys).list_letters()
    assert key in letter.reason


def test_a_stop_gives_all_of_them_back(
    *, hand_over: HandOver, group: Group, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    _signals_without_lists(client, keys)
    with closing(StopRequest()) as stop:
        link.at(b"}:state", stop.request, nth=200)
        with pytest.raises(NotFinishedError):
            hand_over.consume(url=link.url, stop=stop, settle_s=60)
    assert set(group.deliveries()) == {0}
    assert group.member("c").claim(idle_ms=30_000, after="0-0")[1] is not None
