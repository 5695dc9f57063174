"""A list whose state was evicted is recognised by its signal, length and digest, and by nothing less."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.purge.purge import Purge
from shared.endpoint.endpoint import Endpoint
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver, list_keys, list_values, numbers, stored_values
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

Change = Callable[["redis.Redis", str], object]
SIZES = [(random.Random(seed).randint(1, 4_500), random.Random(-seed).randint(400, 3_000)) for seed in range(50)]
SIZES += [(1, 1), (1_000, 1_000), (1_001, 2_000), (3_000, 1_000)]
CHANGES: dict[str, Change] = {
    "one_more": lambda client, key: client.rpush(key, "theirs"),
    "one_less": lambda client, key: client.lpop(key),
    "another_value": lambda client, key: client.lset(key, 3, "theirs"),
    "another_order": lambda client, key: (client.lset(key, 0, "9"), client.lset(key, 1, "10")),
    "a_newline": lambda client, key: (client.lset(key, 0, "10\n9"), client.lset(key, 1, "8")),
    "another_type": lambda client, key: (client.delete(key), client.set(key, "theirs")),
}


def _evict(client: redis.Redis, keys: Keyspace, segments: int, rng: random.Random) -> int:
    """Remove the state of segment 1 and of some others; return how many."""
    chosen = {1, *(number for number in range(2, segments + 1) if rng.random() < 0.5)}
    return int(client.delete(*(keys.state(keys.segment(number)) for number in chosen)))


@pytest.mark.parametrize(("count", "segment_values"), SIZES)
def test_the_next_run_replaces_it_and_says_why(
    count: int, segment_values: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    segments = hand_over.produce(count=count, segment_values=segment_values).segments
    lost = _evict(client, keys, segments, random.Random(count))
    newer = hand_over.produce(count=count + 1, segment_values=segment_values)
    assert hand_over.events().count("state lost, list recognised") == lost
    assert "maxmemory-policy" in str(next(entry for entry in hand_over.logged.entries if "cause" in entry))
    assert stored_values(client, keys, newer.segments) == numbers(count + 1)
    assert hand_over.consume().verdict == "verified"


@pytest.mark.parametrize(("count", "segment_values"), SIZES)
def test_purge_removes_it(
    *, count: int, segment_values: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    segments = hand_over.produce(count=count, segment_values=segment_values).segments
    lost = _evict(client, keys, segments, random.Random(count))
    purge = Purge(endpoint, keys, with_shop=False)
    assert purge.survey().kinds["segment"].keys == lost
    assert len(list_keys(client, keys)) == segments
    purge.remove(purge.survey())
    assert not list_keys(client, keys)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_list_that_is_not_exactly_ours_is_somebody_elses(
    change: Change, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    key = keys.segment(1)
    client.delete(keys.state(key))
    change(client, key)
    before = client.dump(key)
    with pytest.raises(WrongKeyError, match="--overwrite"):
        hand_over.produce(count=10)
    purge = Purge(endpoint, keys, with_shop=True)
    purge.remove(purge.survey())
    assert client.dump(key) == before
    assert client.keys(f"*{keys.prefix}*") == [key.encode()]


def test_without_a_signal_it_is_somebody_elses(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    hand_over.produce(count=10)
    client.delete(keys.state(keys.segment(1)), keys.signals())
    with pytest.raises(WrongKeyError):
        hand_over.produce(count=10)
    assert list_values(client, keys.segment(1)) == numbers(10)[::-1]


def test_lines_are_recognised_with_and_without_their_record(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"\n".join([b"", b"x" * 100_000, b"\xff", b"", *numbers(2_000)]) + b"\n")
    run_id = hand_over.produce(values=str(file)).run_id
    for _ in range(2):
        client.delete(keys.state(keys.segment(1)))
        run_id = hand_over.produce(values=str(file)).run_id
        client.delete(keys.run(run_id))
    assert hand_over.consume().run_id == run_id


def test_check_notes_it_and_writes_nothing(
    hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    client.delete(keys.state(keys.segment(1)))
    ended = run_program("server-a", "check", "--count", "10", "--json", server=server, namespace=keys.namespace)
    assert ended.exit_code == 0, ended
    assert [note for note in ended.json()["notes"] if "maxmemory-policy" in note]
    assert not client.exists(keys.state(keys.segment(1)))
