"""A record of others that comes between a shop command's look at a key and what it writes there: left byte for byte.

The link has it written when the command's transaction is on its way to the server, so it is there before EXEC.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.carts import CartChanger
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.records import Sku, User
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.foreign_keys import make_foreign, snapshot
from tests.stage.servers import connect
from tests.stage.shop_fixtures import endpoint, keys, shop

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

SEEDS = range(60)
ADA, LAMP = User("42", "Ada", "Lovelace"), Sku("book", "Lamp", Decimal("1.00"))
WRITES: dict[str, tuple[str, bool, str, Callable[[Shop], object]]] = {
    "user add": ("user", False, "HSET", lambda shop: shop.write(ADA)),
    "user add again": ("user", True, "HSET", lambda shop: shop.write(ADA)),
    "user remove": ("user", True, "UNLINK", lambda shop: shop.remove_user("42")),
    "sku add": ("sku", False, "HSET", lambda shop: shop.write(LAMP)),
    "sku add again": ("sku", True, "HSET", lambda shop: shop.write(LAMP)),
    "sku remove": ("sku", True, "UNLINK", lambda shop: shop.remove_sku("book")),
    "user remove, the cart": ("cart", True, "UNLINK", lambda shop: shop.remove_user("42")),
    "user remove, no cart": ("cart", False, "HSET", lambda shop: shop.remove_user("42")),
    "cart add": ("cart", False, "HINCRBY", lambda shop: CartChanger(shop).add("42", "book", 2)),
    "cart remove": ("cart", True, "HDEL", lambda shop: CartChanger(shop).remove("42", "book", 9)),
}
"""Of each command: the kind of key it writes, whether one of ours is there before, its write, and the call."""


class _Put:
    """Puts data of others in the place of a key, once, and then leaves the key to be made ready for the next."""

    def __init__(self, client: redis.Redis, key: str, make: Callable[[], object]) -> None:
        self._client, self._key, self._make = client, key, make
        self._before: dict[str, object] = {}

    def __call__(self) -> None:
        self._client.delete(self._key)
        self._make()
        self._before = snapshot(self._client, [self._key])

    def check(self, seed: int) -> None:
        assert self._before, f"seed {seed}: nothing was put there"
        assert snapshot(self._client, [self._key]) == self._before, f"seed {seed}"
        self._client.delete(self._key)


@pytest.fixture
def link(server: Server) -> Iterator[FaultyLink]:
    """A link to the server, through which the command goes."""
    with FaultyLink(server.port) as opened:
        yield opened


def _prepare(shop: Shop, kind: str, *, is_there: bool) -> None:
    """Write what the command needs, and what it is to change or remove."""
    if kind == "cart":
        shop.write(ADA)
        shop.write(LAMP)
        if is_there:
            CartChanger(shop).add("42", "book", 3)
    elif is_there:
        shop.write(ADA if kind == "user" else LAMP)


def _no_lines(client: redis.Redis, keys: Keyspace, _: str, rng: random.Random) -> None:
    """Make a cart of others that can be told from ours by its form."""
    key = keys.cart("42")
    client.hset(key, rng.choice(["total", "item 1", "ä", ""]), rng.choice(["19.90", "", "-1", "many", "1e3"]))
    client.hset(key, "book", str(rng.randint(1, 9)))


def _check(command: str, client: redis.Redis, keys: Keyspace, link: FaultyLink) -> None:
    """Check that each of many records of others which come in the midst of a command is left as it is."""
    kind, is_there, write, call = WRITES[command]
    key = {"user": keys.user("42"), "sku": keys.sku("book"), "cart": keys.cart("42")}[kind]
    make = _no_lines if command.startswith("cart") else make_foreign
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        shop = Shop(endpoint, keys)
        for seed in SEEDS:
            _prepare(shop, kind, is_there=is_there)
            put = _Put(client, key, partial(make, client, keys, kind, random.Random(seed)))
            link.at(resp(write, key), put)
            with pytest.raises(WrongKeyError) as caught:
                call(shop)
            assert caught.value.where.startswith(key)
            put.check(seed)


@pytest.mark.parametrize("command", WRITES)
def test_what_comes_between_look_and_write_is_left(
    command: str, client: redis.Redis, keys: Keyspace, link: FaultyLink
) -> None:
    _check(command, client, keys, link)


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
@pytest.mark.parametrize("command", WRITES)
def test_what_comes_between_look_and_write_is_left_in_a_cluster(
    command: str, lone_node: Server, node_link: FaultyLink
) -> None:
    """User and cart are in different slots there, which no transaction may span."""
    with connect(lone_node) as client:
        _check(command, client, Keyspace(), node_link)


def test_a_cart_of_others_without_a_user_that_takes_the_place_of_ours_is_left(
    shop: Shop, client: redis.Redis, link: FaultyLink
) -> None:
    """Its form is a cart's: only what its lines name tells it from ours."""
    key = shop.keys.cart("1")
    client.unlink(shop.keys.user("1"))
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as endpoint:
        for seed in SEEDS:
            client.hset(key, "sku123", "1")
            put = _Put(client, key, partial(client.hset, key, f"item{seed}", str(1 + seed % 9)))
            link.at(resp("UNLINK", key), put)
            with pytest.raises(WrongKeyError):
                Shop(endpoint, shop.keys).remove_user("1")
            put.check(seed)
