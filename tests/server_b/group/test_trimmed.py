"""Entries that were trimmed before there was a verdict are told in the log, with the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from server_b.group.trimmed import unread_trimmed
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import Group, HandOver, entries_of

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


UNKNOWN = "entries may have been trimmed before they were processed, but the server does not count them"


@pytest.mark.parametrize("deleted", [1, 2, 3])
def test_where_the_server_does_not_count_words_say_so(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace, deleted: int
) -> None:
    """As before version 7, and after an XDEL, which some servers do count."""
    hand_over.produce(count=10)
    hand_over.consume()
    hand_over.produce(count=40, segment_values=10)
    (_, *unread) = entries_of(client, keys.signals())
    client.xtrim(keys.signals(), maxlen=4, approximate=False)
    client.xdel(keys.signals(), *(entry_id for entry_id, _ in unread[:deleted]))
    with pytest.raises(NotFinishedError):
        hand_over.consume(wait_s=0.3)
    assert (_told(hand_over), hand_over.events().count(UNKNOWN)) in (([], 1), ([deleted], 0))


@pytest.mark.parametrize("lag", [None, 0, 1, 2, 3, 9])
@pytest.mark.parametrize("length", [0, 1, 2, 5])
@pytest.mark.parametrize("last", ["0-0", "99-9", "100-1", "100-10", "101-0"])
def test_how_many_is_said_only_where_it_is_known(lag: int | None, length: int, last: str) -> None:
    """The stream's oldest entry is 100-2: where the last one that was delivered is older, others may be gone."""
    counted = {} if lag is None else {"lag": lag}
    group: dict[str, Any] = {"name": b"server-b", "last-delivered-id": last.encode(), **counted}
    found = unread_trimmed([{"name": b"other"}, group], [(b"100-2", {})] if length else [], length)
    may_be_gone = last in ("99-9", "100-1") or (last != "0-0" and not length)
    assert found == ((None if lag is None else max(0, lag - length)) if may_be_gone else 0)
    assert unread_trimmed([{"name": b"other"}], [], 0) == 0
