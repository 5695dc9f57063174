"""A stream of signals that somebody deletes, and puts one of his own in its place, while a program is at work."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.faulty_link import FaultyLink
from tests.stage.foreign_keys import make_foreign, snapshot
from tests.stage.hand_over_in_process import HandOver

if TYPE_CHECKING:
    import redis

SEEDS = range(50)
RUN: dict[str, Any] = {"count": 40, "segment_values": 10, "users": 0, "skus": 0, "carts": 0}
Moment = Callable[[FaultyLink, Callable[[], object]], None]
# moments at which no signal is on its way: those of segments that are published beside each other may be
PRODUCER_MOMENTS: dict[str, Moment] = {
    "before the first is published": lambda link, act: link.at(b"WATCH", act),
    "before the audit": lambda link, act: link.at(b"XRANGE", act),
}


def _taken_over(client: redis.Redis, keys: Keyspace, seed: int, seen: dict[str, object]) -> Callable[[], object]:
    def act() -> None:
        client.delete(keys.signals())
        key = make_foreign(client, keys, "signals", random.Random(seed))
        if client.type(key) == b"stream":  # reading in a group of our own name would change it
            client.xgroup_destroy(key, CONSUMER_GROUP)
        seen.update(snapshot(client, [key]))

    return act


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moment", PRODUCER_MOMENTS)
def test_server_a_adds_nothing_to_it_and_says_so(
    *, moment: str, seed: int, hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    seen: dict[str, object] = {}
    PRODUCER_MOMENTS[moment](link, _taken_over(client, keys, seed, seen))
    with pytest.raises(WrongKeyError) as caught:
        hand_over.produce(url=link.url, **RUN)
    assert caught.value.where.startswith(keys.signals())
    assert "--namespace" in caught.value.advice
    assert snapshot(client, [keys.signals()]) == seen
    client.delete(keys.signals())  # and the run is as good as one that was stopped
    (run_id,) = {key.decode().removeprefix(keys.run("")) for key in client.scan_iter(keys.run("*"))}
    hand_over.produce(resume=run_id)
    assert hand_over.consume().verdict == "verified"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("moment", [b"XACK", b"XREADGROUP"])
def test_server_b_makes_no_group_in_it_and_says_so(
    *, moment: bytes, seed: int, hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    seen: dict[str, object] = {}
    hand_over.produce(**RUN)
    link.at(moment, _taken_over(client, keys, seed, seen))
    with pytest.raises(WrongKeyError) as caught:
        hand_over.consume(url=link.url)
    assert caught.value.where.startswith(keys.signals())
    assert "--namespace" in caught.value.advice
    assert snapshot(client, [keys.signals()]) == seen
