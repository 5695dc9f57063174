"""Carts of any number of lines: shown in order up to a thousand, at a cost that their SKUs don't share."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.carts import CartChange, CartChanger
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.scanning import HASH_COUNT
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.cart_text import cart_text
from shared.shop.reader import MOST_LINES, read_carts
from tests.stage.shop_fixtures import endpoint, keys, shop
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

LARGE = 20_000
SIZES = [1, 2, 9, 511, 512, 513, 999, 1_000, 1_001, 1_024, 1_999, 2_000, 5_000, 15_000]


@pytest.fixture
def counter(server: Server) -> Iterator[TurnCounter]:
    """A relay that counts what the commands send to the server."""
    with TurnCounter(server.port) as opened:
        yield opened


@pytest.fixture
def counted(counter: TurnCounter, shop: Shop, keys: Keyspace) -> Iterator[Shop]:
    """The shop with its sample, through the counter."""
    with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as own:
        yield Shop(own, keys)


def _most_pages(lines: int) -> float:
    return 2 * lines / HASH_COUNT + 2  # of a table with at most two places a line


def _fill(client: redis.Redis, key: str, beginning: str, lines: int) -> None:
    """Put so many lines into a cart, each a number behind a beginning, whose quantity is that number."""
    script = "for i = 1, tonumber(ARGV[1]) do redis.call('HSET', KEYS[1], ARGV[2] .. i, i) end"
    client.delete(key)
    client.eval(script, 1, key, lines, beginning)


@pytest.mark.parametrize("beginning", ["s", "item", "", "A-_", "x" * 58])
@pytest.mark.parametrize("lines", SIZES)
def test_the_first_thousand_lines_come_in_order(
    lines: int, beginning: str, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    _fill(client, keys.cart("1"), beginning, lines)
    client.hset(keys.sku(f"{beginning}1"), mapping={"name": "Lamp", "price": "1.50"})
    cart = shop.cart("1")
    shown = min(lines, MOST_LINES)
    expected = [(f"{beginning}{number}", number) for number in range(1, shown + 1)]
    assert [(line.sku_id, line.quantity) for line in cart.lines] == expected
    assert (cart.left_out, cart.total) == (lines - shown, Decimal("1.50"))
    heading = f"Cart 1, 1,000 of {lines:,} lines:" if lines > MOST_LINES else "Cart 1:"
    assert cart_text(cart).startswith(f"{heading}\n")


def test_lines_that_are_left_of_a_large_cart_are_all_shown(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    """A page of a table that was made for many lines may hold none of the few that are left."""
    _fill(client, keys.cart("1"), "s", LARGE)
    client.hdel(keys.cart("1"), *(f"s{number}" for number in range(1, LARGE + 1) if number % 2_500))
    cart = shop.cart("1")
    assert ([line.quantity for line in cart.lines], cart.left_out) == (list(range(2_500, LARGE + 1, 2_500)), 0)


def test_one_sku_of_ours_behind_thousands_proves_a_cart_without_user(
    shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    client.delete(keys.user("1"))
    _fill(client, keys.cart("1"), "s", 3_000)
    with pytest.raises(WrongKeyError):
        shop.remove_user("1")
    client.hset(keys.sku("s2999"), mapping={"name": "Lamp", "price": "1.50"})
    shop.remove_user("1")
    assert not client.exists(keys.cart("1"))


def test_a_large_cart_costs_its_pages_and_the_skus_that_are_shown(
    counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    _fill(client, keys.cart("1"), "s", LARGE)
    before = counter.carried["to_server"]
    assert len(counted.cart("1").lines) == MOST_LINES
    sent_bytes = counter.carried["to_server"] - before
    assert counter.times("HSCAN") <= _most_pages(LARGE), str(counter)
    assert counter.times(f"HGETALL {keys.cart('1')}") == 0, str(counter)
    # a look at each line's SKU would take twenty times as many
    assert sent_bytes <= (MOST_LINES + _most_pages(LARGE)) * 100, str(counter)


CHANGES: dict[str, Callable[[Shop], object]] = {
    "add": lambda shop: CartChanger(shop).add("1", "sku123", 2),
    "remove": lambda shop: CartChanger(shop).remove("1", "s77", 70),
    "remove a line": lambda shop: CartChanger(shop).remove("1", "s77", 77),
    "remove the user": lambda shop: shop.remove_user("1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_large_cart_holds_a_page_of_it(
    change: str, counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    """It was read whole, by some commands twice: 160 MB of a million lines."""
    _fill(client, keys.cart("1"), "s", LARGE)
    client.hset(keys.sku("s77"), mapping={"name": "Lamp", "price": "1.50"})  # what proves that the cart is ours
    CHANGES[change](counted)
    assert counter.times("HSCAN") <= _most_pages(LARGE), str(counter)
    assert counter.times(f"HGETALL {keys.cart('1')}") == 0, str(counter)
    held = client.hmget(keys.cart("1"), "sku123", "s77")
    expected = {"add": [b"2", b"77"], "remove": [None, b"7"], "remove a line": [None, None]}
    assert held == expected.get(change, [None, None])
    assert client.hlen(keys.cart("1")) == {"remove the user": 0, "remove a line": LARGE - 1, "add": LARGE + 1}.get(
        change, LARGE
    )


@pytest.mark.parametrize("seed", range(50))
def test_a_line_of_others_anywhere_in_a_large_cart_is_found(
    seed: int, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    _fill(client, keys.cart("1"), f"s{seed}-", rng.randint(600, 4_000))
    client.hset(
        keys.cart("1"), rng.choice(["total", "item 1", "ä", "", "x" * 65]), rng.choice(["19.90", "", "-1", "1e3"])
    )
    before = client.hlen(keys.cart("1"))
    for change in CHANGES.values():
        with pytest.raises(WrongKeyError):
            change(shop)
    assert client.hlen(keys.cart("1")) == before
    assert client.exists(keys.user("1"))


@pytest.mark.parametrize("lines", SIZES)
def test_a_quantity_is_found_wherever_it_stands(lines: int, shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    _fill(client, keys.cart("1"), "s", lines)
    left = CartChanger(shop).remove("1", f"s{lines}", 1)
    assert left == CartChange(1, lines - 1)


def test_few_lines_that_are_left_of_a_large_cart_need_no_permission_but_for_pages(
    counter: TurnCounter, counted: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    """As server-b reads carts, whose rule allows HLEN and HSCAN of them."""
    _fill(client, keys.cart("1"), "s", LARGE)
    client.hdel(keys.cart("1"), *(f"s{number}" for number in range(1, LARGE + 1) if number % 2_500))
    (cart,) = read_carts(counted.endpoint, keys, ["1"], most_lines=10)
    assert ([line.quantity for line in cart.lines], cart.left_out) == (list(range(2_500, LARGE + 1, 2_500)), 0)
    assert counter.times(f"HGETALL {keys.cart('1')}") == 0, str(counter)
