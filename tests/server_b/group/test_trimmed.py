"""Entries that were trimmed before there was a verdict are told in the log, with the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.errors import NotFinishedError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import Group, HandOver

if TYPE_CHECKING:
    import redis


def _told(hand_over: HandOver) -> list[int]:
    found = [entry for entry in hand_over.logged.entries if entry["event"] == "trimmed before it was processed"]
    assert all("server-a run --resume RUN_ID" in entry["cure"] for entry in found)
    return [entry["entries"] for entry in found]


@pytest.mark.parametrize("trimmed", [1, 2, 3, 4])
def test_what_was_trimmed_before_it_was_read_is_told(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, trimmed: int
) -> None:
    hand_over.produce(count=10)
    hand_over.consume()
    hand_over.produce(count=40, segment_values=10)
    client.xtrim(keys.signals(), maxlen=4 - trimmed, approximate=False)
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=0.5)
    assert _told(hand_over) == [trimmed]


@pytest.mark.parametrize("claimed", [True, False])
def test_what_was_trimmed_while_it_was_pending_is_told(
    *, claimed: bool, hand_over: HandOver, group: Group, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    assert group.member("silent" if claimed else "b").read_new(block_ms=1)
    client.xtrim(keys.signals(), maxlen=0, approximate=False)
    hand_over.produce(count=10)
    hand_over.consume(claim_idle_ms=1)
    assert sum(_told(hand_over)) == 1


def test_nothing_is_told_where_nothing_was_missed(hand_over: HandOver, client: redis.Redis, keys: Keyspace) -> None:
    hand_over.produce(count=10)
    client.xtrim(keys.signals(), maxlen=0, approximate=False)
    hand_over.produce(count=10)
    hand_over.consume()
    client.xtrim(keys.signals(), maxlen=0, approximate=False)
    hand_over.produce(count=10)
    hand_over.consume()
    assert _told(hand_over) == []
