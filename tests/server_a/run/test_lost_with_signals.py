"""A list whose state and signal are both lost: the run that is resumed knows its values, and its record the signal."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import EndpointUnreachableError, WrongKeyError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers, stored_values

if TYPE_CHECKING:
    import redis

NO_SHOP: dict[str, Any] = {"users": 0, "skus": 0, "carts": 0}
SIGNAL_LOSSES: dict[str, Callable[[redis.Redis, str], object]] = {
    "the stream": lambda client, stream: client.delete(stream),
    "its entries": lambda client, stream: client.xtrim(stream, maxlen=0, approximate=False),
    "each entry": lambda client, stream: [client.xdel(stream, entry_id) for entry_id, _ in entries_of(client, stream)],
}


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("loss", SIGNAL_LOSSES)
@pytest.mark.parametrize("seed", range(9))
def test_a_resume_brings_the_run_to_its_end(
    *, seed: int, loss: str, is_read: bool, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    segments = rng.randint(1, 4)
    run_id = hand_over.produce(count=10 * segments, segment_values=10, **NO_SHOP).run_id
    if is_read:
        hand_over.consume()
    SIGNAL_LOSSES[loss](client, keys.signals())
    chosen = {1, *(number for number in range(1, segments + 1) if rng.random() < 0.5)}
    client.delete(*(keys.state(keys.segment(number)) for number in chosen))
    hand_over.produce(resume=run_id)
    assert hand_over.events().count("state lost, list recognised") == len(chosen)
    assert stored_values(client, keys, segments) == numbers(10 * segments)
    assert hand_over.consume(run_id=run_id, settle_s=0.0).verdict == "verified"


@pytest.mark.parametrize("place", range(0, 10, 3))
@pytest.mark.parametrize("loss", SIGNAL_LOSSES)
def test_a_list_with_another_value_stays(
    *, loss: str, place: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=10, **NO_SHOP).run_id
    SIGNAL_LOSSES[loss](client, keys.signals())
    client.delete(keys.state(keys.segment(1)))
    client.lset(keys.segment(1), place, "theirs")
    before = client.dump(keys.segment(1))
    with pytest.raises(WrongKeyError, match="--overwrite"):
        hand_over.produce(resume=run_id)
    assert client.dump(keys.segment(1)) == before


@pytest.mark.parametrize("count", range(1, 30, 7))
def test_a_list_of_the_same_values_that_the_run_never_signalled_stays(
    *, count: int, hand_over: HandOver, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    """What the run was to write may be what somebody else has."""
    link.at(b"RENAME", lambda: None, is_forwarded=False)
    with pytest.raises(EndpointUnreachableError):
        hand_over.produce(url=link.url, count=count, patience_s=0, **NO_SHOP)
    run_id = next(entry["run_id"] for entry in hand_over.logged.entries if entry["event"] == "run started")
    client.lpush(keys.segment(1), *map(str, range(1, count + 1)))
    before = client.dump(keys.segment(1))
    for options in ({"resume": run_id}, {"count": count, **NO_SHOP}):
        with pytest.raises(WrongKeyError, match="--overwrite"):
            hand_over.produce(**options)
        assert client.dump(keys.segment(1)) == before
