"""Two runs in one namespace: the newer one stands, also where their segments have no name in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server_a.run import states
from shared.errors import SupersededError
from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values

if TYPE_CHECKING:
    import redis


@pytest.mark.parametrize(("older", "newer"), [(20, 5), (5, 20)])
def test_an_older_run_of_other_names_that_comes_later_is_superseded_and_leaves_nothing(
    *, older: int, newer: int, hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    """Both have 20 values, in one segment or in four; the newer one is carried out while the older one writes."""
    newer_runs = []
    link.at(b"LPUSH", lambda: newer_runs.append(hand_over.produce(count=20, segment_values=newer)))
    with pytest.raises(SupersededError) as caught:
        hand_over.produce(url=link.url, count=20, segment_values=older)
    assert newer_runs[0].run_id in str(caught.value)
    assert stored_values(client, keys, 20 // newer) == numbers(20)
    assert list_keys(client, keys) == {keys.segment(number) for number in range(1, 20 // newer + 1)}
    assert hand_over.consume().run_id == newer_runs[0].run_id


def test_an_older_run_that_was_overtaken_by_a_shorter_one_leaves_no_segment_above_it(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "LOOK_EVERY_S", 1e9)  # else it would notice before it writes on
    link.at(b"XADD", lambda: hand_over.produce(count=20, segment_values=10), nth=3)
    with pytest.raises(SupersededError):
        hand_over.produce(url=link.url, count=60, segment_values=10)
    assert list_keys(client, keys) == {keys.segment(1), keys.segment(2)}
    assert stored_values(client, keys, 2) == numbers(20)


def test_an_older_run_is_not_resumed_over_a_newer_one_of_other_names(
    hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    older = hand_over.produce(count=20, segment_values=5)
    newer = hand_over.produce(count=20)
    with pytest.raises(SupersededError):
        hand_over.produce(resume=older.run_id)
    assert list_keys(client, keys) == {keys.segment(1)}
    assert hand_over.consume().run_id == newer.run_id
