"""Two runs in one namespace: the newer one stands, also where their segments have no name in common."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, cast

import pytest

from server_a.run import states
from server_a.run.states import Supersession
from shared.endpoint.endpoint import ServerClock
from shared.endpoint.opening import open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import SupersededError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.stopping import StopRequest
from tests.stage.clusters import Cluster
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys, numbers, stored_values
from tests.stage.migration import migration_of

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


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
def test_a_newer_run_is_noticed_where_the_slot_of_its_first_segment_has_moved(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, so that no writer meets that, and nobody else asks where the slots are."""
    monkeypatch.setattr(states, "LOOK_EVERY_S", 0.0)
    hand_over = HandOver(cluster.url, Keyspace())
    with closing(open_endpoint(EndpointSettings(url=parse_url(cluster.url)))) as opened, closing(StopRequest()) as stop:
        key = hand_over.keys.run(hand_over.produce(count=20, segment_values=10, writers=1).run_id)
        record = RunRecord.decode(key, cast("dict[bytes, bytes]", opened.at(key).hgetall(key)))
        retry = Retry(0, stop, on_outage=lambda _: None, refresh=opened.refresh)
        supersession = Supersession(opened, hand_over.keys, record, retry, ServerClock())
        newer = hand_over.produce(count=20, segment_values=10, writers=1)
        migration_of(cluster, hand_over.keys.segment(1)).carry_out(cluster.primaries())
        supersession.look()  # asks the primary that had it, which says that it has moved
        with pytest.raises(SupersededError) as caught:
            supersession.look()
    assert caught.value.by == newer.run_id
