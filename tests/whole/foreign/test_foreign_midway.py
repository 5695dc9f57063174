"""What becomes somebody else's while `server-b` serves: one sentence, nothing of it changed, and the rest goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from server_b.group.dead_letters import DeadLetters
from server_b.group.delivery import Delivery
from server_b.group.entry import Entry
from server_b.group.settling import EntrySettler
from server_b.segment.chunks import chunk_size
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.errors import InvalidInputError, NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict
from tests.stage.foreign_keys import LETTER, make_foreign, snapshot
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN, HandOver

if TYPE_CHECKING:
    import redis

SEEDS = range(60)
NO_SHOP: dict[str, Any] = {"users": 0, "skus": 0, "carts": 0}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_result_of_others_gets_no_verdict_and_the_next_run_goes_on(
    *, seed: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    lost = hand_over.produce(count=10, **NO_SHOP)
    made = make_foreign(client, keys, "result", random.Random(seed))
    theirs = keys.result(lost.run_id)
    client.rename(made, theirs)
    before = snapshot(client, [theirs])
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=0.0)
    letters = DeadLetters(endpoint, keys).list_letters()
    assert [theirs in letter.reason for letter in letters] == [True], letters
    assert client.xpending(keys.signals(), "server-b")["pending"] == 0
    if client.type(theirs) == b"hash":
        assert "--namespace" in letters[0].reason
    summary = hand_over.produce(count=10, **NO_SHOP)
    assert hand_over.consume().run_id == summary.run_id
    assert snapshot(client, [theirs]) == before


@pytest.mark.parametrize("is_verdict_too", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_dead_letters_that_become_others_get_no_letter(
    *, seed: int, is_verdict_too: bool, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    make_foreign(client, keys, "dead_letters", random.Random(seed))
    before = snapshot(client, [keys.dead_letters()])
    settler, entry = EntrySettler(endpoint, keys, "b"), Entry("1-1", {b"a": b"b"})
    verdict, signal = SegmentVerdict("failed", RUN, 1, 1, 9, DIGEST), Signal(RUN, RUN, 1, 1, 9, DIGEST)
    look = SegmentLook(0, None, None, chunk_size(None))
    delivery = Delivery(entry, signal, 1, None, look, ServerClock())
    commands: dict[bool, Callable[[], object]] = {
        True: lambda: settler.record(delivery, verdict, retain_ms=60_000, dead_reason="r"),
        False: lambda: settler.dead_letter(entry, "r"),
    }
    with pytest.raises(WrongKeyError) as caught:
        commands[is_verdict_too]()
    assert caught.value.where.startswith(keys.dead_letters())
    assert snapshot(client, [keys.dead_letters()]) == before
    assert not client.exists(keys.result(RUN))


GARBAGE: list[dict[Any, Any]] = [
    {"hello": "world"}, {"run_id": OLDER}, {"schema_version": "1", "run_id": OLDER, "segment": "0"}, {b"\xff": b"\xff"},
    {"schema_version": "", "run_id": OLDER, "segment": "1"},
]  # fmt: skip


@pytest.mark.parametrize("number", range(50))
def test_garbage_is_not_signalled_again_where_it_would_be_alone(
    *, number: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """Both programs would take the stream for somebody else's from then on."""
    if number % 2:
        client.xgroup_create(keys.signals(), "server-b", mkstream=True)
    garbage = {**GARBAGE[number % len(GARBAGE)], "number": str(number)}
    fields: dict[Any, Any] = {
        (b"field:" + (name if isinstance(name, bytes) else name.encode())): value for name, value in garbage.items()
    }
    client.xadd(keys.dead_letters(), fields | dict(LETTER))
    letters = DeadLetters(endpoint, keys)
    letter = letters.list_letters()[0]
    with pytest.raises(InvalidInputError) as caught:
        letters.retry(letter)
    assert f"server-b dead drop {letter.origin}" in caught.value.advice
    assert [letter] == letters.list_letters()
    assert not client.xlen(keys.signals())
    hand_over.produce(count=10, **NO_SHOP)
    assert letters.retry(letter)  # beside a signal it does no harm
    assert client.xlen(keys.signals()) == 2
