"""What `status` makes of data that is not ours: in the record, in the result, under names of ours."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.status.command import status_text
from shared.status.status import read_status
from tests.stage.foreign_keys import LETTER, make_foreign, snapshot
from tests.stage.hand_over_in_process import HandOver
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status

if TYPE_CHECKING:
    import redis


@pytest.mark.parametrize("value", ["abc", "", "-1", "1.5", "9" * 30, "9" * 5_000, "\u0663", b"\xff"])
def test_figures_in_the_record_that_are_no_numbers(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace, value: str | bytes
) -> None:
    run_id = hand_over.produce(count=10).run_id
    hand_over.consume()
    client.hset(keys.run(run_id), mapping={"published": value, "finished_ms": value})
    status = read_status(endpoint, keys)
    require_status(status, UNFINISHED, f"--resume {run_id}")
    assert [(run.published, run.is_finished) for run in status.runs] == [(0, False)]


@pytest.mark.parametrize(
    ("field", "changes", "words"),
    [
        ("1", {"digest": "zz"}, "on 1 of 2 segments"),
        ("1", {"segment": 2}, "on 1 of 2 segments"),
        ("1", {"segments": 1}, "on 1 of 2 segments: {result} holds what is no verdict on a run of this size"),
        ("1", {"segments": 3}, "on 1 of 2 segments: {result} holds"),
        ("3", {"segment": 3, "segments": 3}, "on 2 of 2 segments: {result} holds"),
    ],
)
def test_a_verdict_of_somebody_elses_makes_no_run_complete(
    *, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, field: str, changes: dict[str, object], words: str
) -> None:
    result = hand_over.keys.result(hand_over.produce(count=20, segment_values=10).run_id)
    hand_over.consume()
    theirs = json.loads(client.hget(result, "1") or b"") | changes
    client.hset(result, field, json.dumps(theirs))
    status = read_status(endpoint, hand_over.keys)
    require_status(status, UNFINISHED, words.format(result=result))
    assert status.runs[0].verdict == "pending"


def test_a_complete_result_of_another_size_than_the_run(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    whole, halves = (keys.result(hand_over.produce(count=20, segment_values=size).run_id) for size in (20, 10))
    hand_over.consume()
    client.copy(whole, halves, replace=True)
    require_status(read_status(endpoint, keys), UNFINISHED, f"on 0 of 2 segments: {halves} holds")


def test_states_of_somebody_elses_under_names_that_the_run_does_not_use(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    hand_over.consume()
    state = keys.state(keys.segment(2))
    client.hset(state, "run_id", "theirs")
    require_status(read_status(endpoint, keys), DONE)
    client.delete(state)
    client.set(state, "theirs")
    require_status(read_status(endpoint, keys), DONE)


def test_names_of_others_forge_no_line(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    hand_over.consume()
    forged = "b: 0 pending, idle for 0.0 s\nNothing is wrong.\x1b[2J"
    client.xgroup_createconsumer(keys.signals(), "server-b", forged)
    text = status_text(read_status(endpoint, keys))
    assert "Consumer b: 0 pending, idle for 0.0 s\\nNothing is wrong.\\x1b[2J: 0 pending" in text
    assert text.splitlines().count("Nothing is wrong.") == 1
    assert all(line.isprintable() for line in text.split("\n"))
    troubled = replace(read_status(endpoint, keys), problems=["one\nNothing is wrong."], exit_code=WRONG)
    assert "Nothing is wrong." not in status_text(troubled).splitlines()


NOT_OURS = "entries, of which none that was read is a dead letter, so server-b would end with 78; if it is somebody"


@pytest.mark.parametrize("is_verified", [True, False])
@pytest.mark.parametrize("seed", range(60))
def test_dead_letters_of_others_are_none_of_ours(
    *, seed: int, is_verified: bool, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    if is_verified:
        hand_over.produce(count=10, users=0, skus=0, carts=0)
        hand_over.consume()
    key = make_foreign(client, keys, "dead_letters", random.Random(seed))
    before = snapshot(client, [key])
    if client.type(key) == b"stream":
        status = read_status(endpoint, keys)
        require_status(status, UNFINISHED, f"{key} holds {client.xlen(key):,} {NOT_OURS}")
        assert (status.dead_letters, status.is_empty) == (0, not is_verified)
    else:
        with pytest.raises(WrongKeyError):
            read_status(endpoint, keys)
    assert snapshot(client, [key]) == before


@pytest.mark.parametrize(
    ("letters", "theirs"), [(1, 0), (1, 1), (1, 9), (1, 10), (1, 50), (3, 99), (100, 150), (150, 1)]
)
@pytest.mark.parametrize("is_ours_first", [True, False])
def test_dead_letters_of_ours_are_counted_though_others_wrote_among_them(
    *, letters: int, theirs: int, is_ours_first: bool, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    added = [LETTER] * letters + [{"alarm": "fire"}] * theirs
    for fields in added if is_ours_first else reversed(added):
        client.xadd(keys.dead_letters(), fields)  # type: ignore[arg-type]
    require_status(read_status(endpoint, keys), WRONG, f"{letters + theirs} dead letters")
