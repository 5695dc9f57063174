"""What server-a does about runs far ahead of the server's clock: it neither yields to them nor removes their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.purge.purge import Purge
from server_a.run.kept_runs import KeptRuns
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.tokens import make_token, token_ms
from tests.stage.far_future import DAY_MS, FAR, inject
from tests.stage.hand_over_in_process import HandOver, stored_values
from tests.stage.inside import run_inside

if TYPE_CHECKING:
    import redis


def _put_state(client: redis.Redis, keys: Keyspace, number: int, far: str) -> None:
    client.hset(keys.state(keys.segment(number)), mapping={"run_id": far, "attempt": far})


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_resumed_run_does_not_yield_to_it(
    *, far: str, number: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    _put_state(client, keys, number, far)
    with pytest.raises(WrongKeyError) as caught:
        hand_over.produce(resume=run_id)
    assert far in caught.value.where
    assert len(stored_values(client, keys, 3)) == 30  # nothing was withdrawn in its favour


@pytest.mark.parametrize("far", FAR)
def test_a_run_beside_a_newer_one_yields_to_that_alone(
    far: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    """Its segments are the newer run's to remove: the first state, which would name that run, is somebody else's."""
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    _put_state(client, keys, 1, far)
    newer = make_token(token_ms(run_id) + 1_000)
    _put_state(client, keys, 2, newer)
    with pytest.raises(WrongKeyError):
        hand_over.produce(resume=run_id)
    assert len(stored_values(client, keys, 3)) == 30


@pytest.mark.parametrize("far", FAR)
def test_no_run_of_it_is_resumed(far: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    run_id = hand_over.produce(count=30).run_id
    client.copy(keys.run(run_id), keys.run(far))
    client.hset(keys.run(far), "run_id", far)
    with pytest.raises(WrongKeyError) as caught:
        hand_over.produce(resume=far)
    assert caught.value.where == f"--resume {far}"
    hand_over.produce(resume=run_id)


@pytest.mark.parametrize("far", FAR)
def test_a_list_whose_state_is_lost_is_recognised_in_spite_of_it(
    far: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=30)
    client.delete(keys.state(keys.segment(1)))
    inject(client, keys, far, count=30)
    hand_over.produce(count=40)
    assert "state lost, list recognised" in hand_over.events()


def test_signals_of_it_trim_no_others(endpoint: Endpoint, hand_over: HandOver, keys: Keyspace) -> None:
    run_id = hand_over.produce(count=30).run_id
    for far in FAR:
        inject(endpoint.at(keys.signals()), keys, far)
    kept = KeptRuns(keys, most=2)
    kept.look(endpoint)
    assert kept.run_ids == [run_id]


@pytest.mark.parametrize("far", FAR)
def test_purge_leaves_what_is_of_it(
    far: str, endpoint: Endpoint, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    run_id = hand_over.produce(count=30, segment_values=10).run_id
    hand_over.consume()
    theirs = {keys.run(far), keys.result(far), keys.state(keys.segment(2)), keys.segment(2)}
    client.copy(keys.run(run_id), keys.run(far))
    client.hset(keys.run(far), "run_id", far)
    client.copy(keys.result(run_id), keys.result(far))
    _put_state(client, keys, 2, far)
    purge = Purge(endpoint, keys, with_shop=False)
    purge.remove(purge.survey())
    assert {key for key in theirs if client.exists(key)} == theirs
    for key in (keys.run(run_id), keys.result(run_id), keys.segment(1), keys.segment(3)):
        assert not client.exists(key), key


@pytest.mark.parametrize("far", FAR)
def test_no_report_is_made_of_it(
    far: str, hand_over: HandOver, keys: Keyspace, client: redis.Redis, server: Server
) -> None:
    run_id = hand_over.produce(count=30).run_id
    hand_over.consume()
    client.copy(keys.run(run_id), keys.run(far))
    client.hset(keys.run(far), "run_id", far)
    where = ("--url", server.url, "--namespace", keys.namespace)
    newest = run_inside("server-b", "report", "--json", *where)
    assert (newest.exit_code, newest.json()["run"]["run_id"]) == (0, run_id)
    named = run_inside("server-b", "report", far, "--json", *where)
    assert named.exit_code == 2, named


def test_a_clock_that_was_set_back_by_hours_stops_nobody(
    hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    run_id = hand_over.produce(count=30).run_id
    near = make_token(token_ms(run_id) + DAY_MS - 60_000)
    _put_state(client, keys, 1, near)
    assert hand_over.produce(count=30).run_id > near
