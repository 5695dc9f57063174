"""A state of which one field was damaged on its way to the server: its segment is written again, whoever comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import HandoverError, SupersededError, WrongKeyError
from shared.keys import Keyspace
from shared.state import SegmentState
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT_VALUES, SEGMENTS = 30, 10, 3
# What the field becomes; None: another name, of one flipped bit.
DAMAGES = [
    *((name, None) for name in SegmentState.FIELDS),
    ("run_id", b"60"),  # of the year 6026
    ("run_id", b"x0"),
    ("attempt", b"60"),
    ("attempt", b"x0"),
    ("count", b"q0"),
    ("count", b"50"),
    ("digest", b"`0"),
    ("digest", b""),
]


def _damage(client: redis.Redis, keys: Keyspace, number: int, name: str, begin: bytes | None) -> None:
    """Let a field begin in another way, or have another name."""
    key = keys.state(keys.segment(number))
    value: Any = client.hget(key, name)
    if begin is None:
        client.hdel(key, name)
        client.hset(key, name[:-1] + chr(ord(name[-1]) ^ 1), value)
    else:
        client.hset(key, name, begin + value[2:] if begin else b"")


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(("name", "begin"), DAMAGES)
def test_a_run_writes_such_a_segment_again_before_it_ends(
    *, name: str, begin: bytes | None, number: int, hand_over: HandOver, link: FaultyLink, client: redis.Redis,
    keys: Keyspace,
) -> None:  # fmt: skip
    link.at(b"XADD", lambda: _damage(client, keys, number, name, begin), nth=number)
    summary = hand_over.produce(url=link.url, count=COUNT, segment_values=SEGMENT_VALUES)
    assert "state damaged, removed" in hand_over.events() or summary.segments_rewritten == 1
    _require_verified(hand_over, client, keys, summary.run_id)


@pytest.mark.parametrize(("name", "begin"), DAMAGES)
def test_a_resume_mends_it_after_the_verdict(
    name: str, begin: bytes | None, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id
    _damage(client, keys, 2, name, begin)
    with pytest.raises(HandoverError) as caught:  # 75 where the state names a later attempt, whose signal is awaited
        hand_over.consume(settle_s=0, max_deliveries=1, claim_idle_ms=1, wait_s=0.3)
    hand_over.produce(resume=run_id, repair=caught.value.exit_code == 65)
    _require_verified(hand_over, client, keys, run_id)


@pytest.mark.parametrize(("name", "begin"), DAMAGES)
def test_another_run_goes_over_it(
    name: str, begin: bytes | None, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES)
    _damage(client, keys, 1, name, begin)
    _require_verified(hand_over, client, keys, hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id)


def test_another_run_of_fewer_segments_removes_it(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES)
    _damage(client, keys, 3, "digest", None)
    hand_over.produce(count=SEGMENT_VALUES)
    assert list_keys(client, keys) == {keys.segment(1)}


@pytest.mark.parametrize("name", ["run_id", "attempt", "count"])
def test_another_run_goes_over_one_that_was_damaged_when_its_segment_was_retired(
    name: str, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES)
    hand_over.produce(count=SEGMENT_VALUES)
    _damage(client, keys, 3, name, None)
    _require_verified(hand_over, client, keys, hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id)


@pytest.mark.parametrize("name", SegmentState.FIELDS)
def test_one_that_no_signal_knows_is_somebody_elses(
    name: str, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id
    client.xtrim(keys.signals(), maxlen=0)
    _damage(client, keys, 1, name, None)
    kept = client.hgetall(keys.state(keys.segment(1)))
    for options in ({"resume": run_id}, {"count": COUNT}):
        with pytest.raises(WrongKeyError):
            hand_over.produce(**options)
    assert client.hgetall(keys.state(keys.segment(1))) == kept


@pytest.mark.parametrize("name", ["attempt", "count", "digest"])
def test_an_older_run_yields_to_a_newer_one_whose_state_is_damaged(
    name: str, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id
    hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES)
    _damage(client, keys, 1, name, None)
    with pytest.raises(SupersededError):
        hand_over.produce(resume=run_id)


@pytest.mark.parametrize("name", ["attempt", "count", "digest"])
def test_what_is_damaged_in_two_fields_is_somebody_elses(
    name: str, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=COUNT, segment_values=SEGMENT_VALUES).run_id
    for each in ("run_id", name):
        _damage(client, keys, 1, each, None)
    kept = client.hgetall(keys.state(keys.segment(1)))
    for options in ({"resume": run_id}, {"count": COUNT}):
        with pytest.raises(WrongKeyError):
            hand_over.produce(**options)
    assert client.hgetall(keys.state(keys.segment(1))) == kept


def _require_verified(hand_over: HandOver, client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    assert hand_over.consume(run_id=run_id).verdict == "verified"
    assert stored_values(client, keys, SEGMENTS) == numbers(COUNT)
    assert list_keys(client, keys) == {keys.segment(number) for number in range(1, SEGMENTS + 1)}
