"""Batches sent ahead of their replies: to whom, how far ahead, and what an error among the replies means."""

from __future__ import annotations

from contextlib import closing

import pytest

from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.pipelined import Pipelines, SentBatch
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.endpoint.window import FIRST_BYTES
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from tests.stage.clusters import PRIMARIES, Cluster
from tests.stage.shop_fixtures import endpoint, keys

__all__ = ["endpoint", "keys"]


def nothing() -> None:
    """Do nothing when a batch is answered."""


def test_replies_come_batch_by_batch_in_order(endpoint: Endpoint, keys: Keyspace) -> None:
    answered: list[None] = []
    with closing(Pipelines(endpoint, lambda: answered.append(None))) as pipelines:
        sent = [
            pipelines.send(pack("INCRBY", keys.user("1"), step) * 3, commands=3, key_at=lambda _place: keys.user("1"))
            for step in (1, 10, 100)
        ]
        assert pipelines.replies_to(sent[1]) == [13, 23, 33]
        assert (sent[0].replies, sent[2].replies, len(answered)) == ([1, 2, 3], None, 2)
        pipelines.drain()
        assert sent[2].replies == [133, 233, 333]


def test_no_more_is_in_flight_than_the_window_has_room_for(endpoint: Endpoint, keys: Keyspace) -> None:
    command = pack("HSET", keys.user("1"), "field", b"x" * 100_000)
    with closing(Pipelines(endpoint, nothing)) as pipelines:
        sent: list[SentBatch] = []
        for _ in range(FIRST_BYTES // 100_000 + 1):
            unanswered = sum(batch.replies is None for batch in sent)
            sent.append(pipelines.send(command, commands=1, key_at=lambda _place: keys.user("1")))
            assert unanswered * len(command) <= FIRST_BYTES
        assert sent[0].replies == [1], "the first reply was read to make room"


@pytest.mark.parametrize("place", [0, 1, 499, 999])
def test_an_error_names_the_key_of_its_command(endpoint: Endpoint, keys: Keyspace, place: int) -> None:
    endpoint.at("").set(keys.user(str(place)), "a string")
    packed = b"".join(pack("HSET", keys.user(str(number)), "a", "b") for number in range(1_000))
    with closing(Pipelines(endpoint, nothing)) as pipelines:
        pipelines.send(packed, commands=1_000, key_at=lambda number: keys.user(str(number)))
        with pytest.raises(WrongKeyError) as caught:
            pipelines.drain()
    assert caught.value.where.startswith(f"{keys.user(str(place))} at ")
    assert endpoint.at("").ping(), "replies that nobody read are on a connection that is closed"


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
def test_all_servers_of_a_cluster_work_at_once(cluster: Cluster) -> None:
    with closing(open_endpoint(EndpointSettings(url=parse_url(cluster.url)))) as whole:
        names = [Keyspace().user(str(number)) for number in range(30)]
        with closing(Pipelines(whole, nothing)) as pipelines:
            packed = [pack("HSET", name, "x", "y") for name in names]
            sent = [
                pipelines.send(command, commands=1, key_at=[name].__getitem__)
                for name, command in zip(names, packed, strict=True)
            ]
            assert all(batch.replies is None for batch in sent), "nothing is read before the window is full"
            assert len({batch.server for batch in sent}) == PRIMARIES
            pipelines.drain()
        assert {whole.at(name).hget(name, "x") for name in names} == {b"y"}
