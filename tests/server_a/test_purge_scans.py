"""What `server-a purge` asks of a database full of others' keys: one scan, and none again to remove what it showed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.purge import survey
from server_a.purge.purge import Purge
from shared.endpoint.opening import open_endpoint
from shared.endpoint.scanning import COUNT
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver
from tests.stage.servers import connect
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

FOREIGN_KEYS = 100_000
ROUND_TRIPS = FOREIGN_KEYS / COUNT * 1.6 + 2  # of one scan; a table is not as full as it could be
KEYS = Keyspace("shop1")


def _fill(client: redis.Redis) -> None:
    for beginning in ("foreign:", "shop1:user:x", "shop1:cart:x", "shop1:run:x"):
        client.eval(f"for i = 1, {FOREIGN_KEYS // 4} do redis.call('SET', '{beginning}' .. i, 'x') end", 0)


def _count(server: Server, *, with_shop: bool) -> tuple[int, int, int]:
    """Purge and return how many scans showed what is there, how many removed it, and how many keys that were."""
    with TurnCounter(server.port) as counter:
        with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as endpoint:
            purge = Purge(endpoint, KEYS, with_shop=with_shop)
            found = purge.survey()
            looking = counter.times("SCAN")
            removed = purge.remove(found).keys
        assert removed == found.keys
        return looking, counter.times("SCAN") - looking, removed


@pytest.mark.parametrize("with_shop", [False, True])
def test_the_database_is_scanned_once(own_server: Server, *, with_shop: bool) -> None:
    with connect(own_server) as client:
        _fill(client)
        HandOver(own_server.url, KEYS).produce(count=50, segment_values=10, users=30, skus=20, carts=20)
        before = int(client.dbsize())
        looking, removing, removed = _count(own_server, with_shop=with_shop)
        # two scans in each round trip with the shop, whose names are only sought among hashes
        assert looking <= ROUND_TRIPS * (2 if with_shop else 1)
        assert (removing, client.dbsize()) == (0, before - removed)
        assert removed == (82 if with_shop else 12)


@pytest.mark.parametrize("with_shop", [False, True])
def test_more_keys_than_are_remembered_cost_another_scan_and_all_go(
    own_server: Server, monkeypatch: pytest.MonkeyPatch, *, with_shop: bool
) -> None:
    """Carts go before the users and SKUs that prove them, though each of both has a scan."""
    monkeypatch.setattr(survey, "MAX_REMEMBERED", 5)
    with connect(own_server) as client:
        _fill(client)
        HandOver(own_server.url, KEYS).produce(count=50, segment_values=10, users=30, skus=20, carts=20)
        looking, removing, removed = _count(own_server, with_shop=with_shop)
        assert looking <= ROUND_TRIPS * (2 if with_shop else 1)
        assert 0 < removing <= ROUND_TRIPS * (3 if with_shop else 1)
        assert removed == (82 if with_shop else 12)
        assert client.dbsize() == FOREIGN_KEYS + (0 if with_shop else 70)


@pytest.mark.parametrize("gone", ["user", "sku"])
@pytest.mark.parametrize("number", range(25))
def test_a_cart_that_nothing_proves_any_more_stays_and_is_named(
    *, gone: str, number: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    client.hset(keys.cart("42"), mapping={f"item{line}": line for line in range(1, 2 + number % 5)})
    for line in range(1, 2 + number % 5):
        client.hset(keys.sku(f"item{line}"), mapping={"name": "Lamp", "price": f"{number}.00"})
    client.hset(keys.user("42"), mapping={"first_name": "A", "last_name": f"B{number}"})
    client.delete(keys.user("42") if gone == "user" else keys.sku("item1"))
    with closing(open_endpoint(EndpointSettings(url=parse_url(hand_over.url)))) as endpoint:
        purge = Purge(endpoint, keys, with_shop=True)
        found = purge.survey()
        assert "1 key: with names of carts of ours that stay, without the user and all SKUs" in found.text(
            with_shop=True
        )
        purge.remove(found)
    assert client.hlen(keys.cart("42")) == 1 + number % 5
    client.delete(keys.cart("42"))


def test_carts_of_others_are_proven_together(own_server: Server) -> None:
    """Each has the form of ours, so its user and SKUs are looked for; a database may hold a million of them."""
    carts = 4_000
    with connect(own_server) as client, TurnCounter(own_server.port) as counter:
        client.eval(f"for i = 1, {carts} do redis.call('HSET', 'shop1:cart:' .. i, 'item', 4) end", 0)
        client.hset("shop1:cart:ada", "lamp", "1")
        client.hset("shop1:user:ada", mapping={"first_name": "Ada", "last_name": "Lovelace"})
        client.hset("shop1:sku:lamp", mapping={"name": "Lamp", "price": "10.00"})
        with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as endpoint:
            found = Purge(endpoint, KEYS, with_shop=True).survey()
        assert found.keys == 3
        assert counter.times("HLEN") < carts / 40, str(counter)  # one each, where they are proven one by one
