"""A stream whose only signals were changed on the way: the record of their run tells that it is ours all the same."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from server_a.purge.purge import Purge
from server_b.follow.signal_stream import SignalStream
from server_b.group.dead_letters import DeadLetters
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_signal
from tests.stage.hand_over_in_process import OLDER, HandOver, entries_of
from tests.stage.status_scene import Scene, scene
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

__all__ = ["scene"]

SEEDS = range(25)
NO_SHOP: dict[str, Any] = {"users": 0, "skus": 0, "carts": 0}


NAMES = (b"schema_version", b"segment", b"run_id")


def _change(
    client: redis.Redis, keys: Keyspace, seed: int, *, names: tuple[bytes, ...] = NAMES, is_moved: bool = False
) -> None:
    """Change a byte of each signal, so that it is none any more; under another id if it `is_moved`."""
    rng = random.Random(seed)
    entries = entries_of(client, keys.signals())
    client.delete(keys.signals())
    for entry_id, fields in entries:
        changed: dict[Any, Any] = dict(fields)
        while is_signal(changed):
            name = rng.choice(names)
            place, value = rng.randrange(len(fields[name])), bytearray(fields[name])
            value[place] = rng.randrange(256)
            changed = {**fields, name: bytes(value)}
        client.xadd(keys.signals(), changed, id="*" if is_moved else entry_id)


def _are_letters(scene: Scene, number: int) -> bool:
    """Read for a moment; tell whether there are as many dead letters by then."""
    with suppress(NotFinishedError):
        scene.hand_over.consume(settle_s=0.0, wait_s=0.1)
    return bool(scene.client.xlen(scene.keys.dead_letters()) == number)


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_status_names_the_resume_alone_and_that_cures_it(scene: Scene, seed: int, segments: int) -> None:
    scene.produce(segments)
    _change(scene.client, scene.keys, seed)
    SignalStream(scene.endpoint, scene.keys).require_ours()
    DeadLetters(scene.endpoint, scene.keys).require_ours()
    for status in scene.look():
        assert not any("--namespace" in problem for problem in status.problems), status.problems
        assert any(f"server-a run --resume {scene.run}" in problem for problem in status.problems), status.problems
    wait_until(lambda: _are_letters(scene, segments), description="each changed signal is a dead letter")
    DeadLetters(scene.endpoint, scene.keys).require_ours()
    scene.resume()
    assert scene.hand_over.consume(settle_s=0.0).verdict == "verified"


@pytest.mark.parametrize("is_state_there", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_run_goes_on(
    *, seed: int, is_state_there: bool, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10, **NO_SHOP)
    _change(client, keys, seed, names=NAMES if is_state_there else NAMES[:2])  # one of both tells which run it is
    if not is_state_there:
        client.delete(keys.state(keys.segment(1)), keys.segment(1))
    summary = hand_over.produce(count=10, **NO_SHOP)
    assert hand_over.consume(run_id=summary.run_id, settle_s=0.0).verdict == "verified"


@pytest.mark.parametrize("seed", SEEDS)
def test_purge_removes_such_a_stream(
    *, seed: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10, **NO_SHOP)
    _change(client, keys, seed)
    purge = Purge(endpoint, keys, with_shop=True)
    survey = purge.survey()
    assert purge.remove(survey).keys == survey.keys
    assert not list(client.scan_iter(f"*{keys.prefix}*"))


@pytest.mark.parametrize("is_record_there", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_only_resembles_signals_stays_somebody_elses(
    *, seed: int, is_record_there: bool, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """Entries of another id than the record says, or of a run without a record."""
    run_id = hand_over.produce(count=10, **NO_SHOP).run_id
    _change(client, keys, seed, is_moved=is_record_there)
    if not is_record_there:
        client.rename(keys.run(run_id), keys.run(OLDER))
    with pytest.raises(WrongKeyError):
        hand_over.produce(count=10, **NO_SHOP)
    with pytest.raises(WrongKeyError):
        hand_over.consume(wait_s=0.0)
    before = client.dump(keys.signals())
    purge = Purge(endpoint, keys, with_shop=True)
    purge.remove(purge.survey())
    assert client.dump(keys.signals()) == before
