"""Hashes of somebody else's under the shop's names, of many fields or of long values: no more is read than is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.carts import CartChanger
from server_a.shop.record_commands import sku_text, user_text
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.reader import read_carts
from shared.shop.records import Sku, User
from tests.stage.shop_fixtures import endpoint, keys, shop
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

FIELDS, LONG = 30_000, 32_000_000
# what is asked for has 4 MiB at most, and as much again may wait in the buffers of the relay and the system
MOST_BYTES = {"fields": 200_000, "long": 24_000_000}
OURS = {"user": ("first_name", "last_name"), "sku": ("name", "price")}


@pytest.fixture
def counter(server: Server) -> Iterator[TurnCounter]:
    """A relay that counts what the server sends."""
    with TurnCounter(server.port) as opened:
        yield opened


@pytest.fixture
def counted(counter: TurnCounter, shop: Shop, keys: Keyspace) -> Iterator[Shop]:
    """The shop with its sample, through the counter."""
    with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as own:
        yield Shop(own, keys)


def _put(client: redis.Redis, key: str, size: str, name: str) -> None:
    """Put many fields into a hash, or a long value into one of them."""
    many = "for i = 1, tonumber(ARGV[2]) do redis.call('HSET', KEYS[1], 'field' .. i, 'value' .. i) end"
    long = "redis.call('HSET', KEYS[1], ARGV[1], string.rep('x', tonumber(ARGV[2])))"
    client.eval(many if size == "fields" else long, 1, key, name, FIELDS if size == "fields" else LONG)


COMMANDS: dict[str, dict[str, Callable[[Shop], object]]] = {
    "user": {
        "add": lambda shop: shop.write(User("theirs", "Ada", "Lovelace")),
        "remove": lambda shop: shop.remove_user("theirs"),
        "cart add": lambda shop: CartChanger(shop).add("theirs", "sku123", 1),
        "cart remove": lambda shop: CartChanger(shop).remove("theirs", "sku123", 1),
    },
    "sku": {
        "add": lambda shop: shop.write(Sku("theirs", "Lamp", Decimal("1.00"))),
        "remove": lambda shop: shop.remove_sku("theirs"),
        "cart add": lambda shop: CartChanger(shop).add("1", "theirs", 1),
    },
    "cart": {
        "add": lambda shop: CartChanger(shop).add("theirs", "sku123", 1),
        "remove": lambda shop: CartChanger(shop).remove("theirs", "sku123", 1),
        "remove user": lambda shop: shop.remove_user("theirs"),
    },
}
CASES = [(kind, command) for kind, commands in COMMANDS.items() for command in commands]


def _key(keys: Keyspace, kind: str) -> str:
    return {"user": keys.user, "sku": keys.sku, "cart": keys.cart}[kind]("theirs")


@pytest.mark.parametrize("is_near", [False, True], ids=["", "with-ours"])
@pytest.mark.parametrize("size", MOST_BYTES)
@pytest.mark.parametrize(("kind", "command"), CASES)
def test_a_huge_hash_is_refused_for_a_few_bytes(
    *,
    kind: str,
    command: str,
    size: str,
    is_near: bool,
    counter: TurnCounter,
    counted: Shop,
    client: redis.Redis,
    keys: Keyspace,
) -> None:
    key = _key(keys, kind)
    if is_near:  # our fields are there, too; of a long one, it is one of ours
        client.hset(key, mapping=dict.fromkeys(OURS.get(kind, ("sku123",)), "1"))
    _put(client, key, size, OURS.get(kind, ("sku123",))[0] if is_near else "more")
    before = client.hlen(key)
    with pytest.raises(WrongKeyError) as caught:
        COMMANDS[kind][command](counted)
    assert key in caught.value.where
    assert "--namespace" in caught.value.advice
    assert counter.carried["to_client"] < MOST_BYTES[size], str(counter)
    assert client.hlen(key) == before
    client.unlink(key)


@pytest.mark.parametrize("kind", OURS)
def test_of_many_fields_a_hundred_are_shown_and_the_others_counted(
    kind: str, counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    key = _key(keys, kind)
    _put(client, key, "fields", "")
    client.hset(key, mapping=dict.fromkeys([*OURS[kind], b"\xff"], "1"))
    text = user_text(counted.user("theirs")) if kind == "user" else sku_text(counted.sku("theirs"))
    first, second, *others, last = text.splitlines()[1:]
    assert [line.split() for line in (first, second)] == [
        [name, "1.00" if name == "price" else "1"] for name in OURS[kind]
    ]
    assert last == f"  and {FIELDS + 1 - len(others):,} more fields"
    assert 50 <= len(others) <= 100
    assert counter.carried["to_client"] < MOST_BYTES["fields"], str(counter)


@pytest.mark.parametrize("name", ["first_name", "last_name", "more"])
def test_a_user_with_a_long_value_is_not_shown(
    name: str, counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    client.hset(keys.user("theirs"), mapping={"first_name": "A", "last_name": "B"})
    _put(client, keys.user("theirs"), "long", name)
    with pytest.raises(WrongKeyError):
        counted.user("theirs")
    assert counter.carried["to_client"] < MOST_BYTES["long"], str(counter)


@pytest.mark.parametrize("size", [20_000, 70_000, 300_000])
def test_lists_leave_out_what_is_too_long_wherever_it_stands(
    size: int, counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    """Long ones stand first, last, and one behind the other, between 250 of ours."""
    long = {"b000", "b001", "b049", "b050", "b051", "b150", "b249"}
    pipeline = client.pipeline()
    for number in range(250):
        text = "x" * size if f"b{number:03}" in long else f"name {number}"
        pipeline.hset(keys.user(f"b{number:03}"), mapping={"first_name": text, "last_name": "Q"})
        pipeline.hset(keys.sku(f"b{number:03}"), mapping={"name": text, "price": "1.00"})
    pipeline.hset(keys.user("c"), "email", "x" * size)  # a long field that is none of ours, and is not read
    pipeline.execute()
    users = {user.user_id: user.full_name for user in counted.users()}
    skus = {sku.sku_id: sku.name for sku in counted.skus()}
    expected = {f"b{number:03}": f"name {number}" for number in range(250) if f"b{number:03}" not in long}
    assert users == {"1": "Parker Perry", "c": ""} | {name: f"{text} Q" for name, text in expected.items()}
    assert skus.items() >= expected.items()
    assert not skus.keys() & long


def test_carts_are_shown_without_what_is_too_long(
    counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    """As both programs show them in a report: somebody else's cart is empty, somebody else's SKU no longer sold."""
    _put(client, keys.cart("2"), "long", "sku123")
    _put(client, keys.sku("theirs"), "long", "name")
    client.hset(keys.cart("1"), "theirs", "3")
    first, second = read_carts(counted.endpoint, keys, ["1", "2"], most_lines=10)
    assert {line.sku_id: line.note for line in first.lines} == {"sku123": "", "sku456": "", "theirs": "no longer sold"}
    assert second.lines == ()
    assert counter.carried["to_client"] < 2 * MOST_BYTES["long"], str(counter)
    with pytest.raises(WrongKeyError):
        counted.cart("2")
