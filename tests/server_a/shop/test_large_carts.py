"""Carts of any number of lines: shown in order up to a thousand, at a cost that their SKUs don't share."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.scanning import HASH_COUNT
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.cart_text import cart_text
from shared.shop.reader import MOST_LINES
from tests.stage.shop_fixtures import endpoint, keys, shop
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

LARGE = 20_000
SIZES = [1, 2, 9, 511, 512, 513, 999, 1_000, 1_001, 1_024, 1_999, 2_000, 5_000, 15_000]


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
    server: Server, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    _fill(client, keys.cart("1"), "s", LARGE)
    with (
        TurnCounter(server.port) as counter,
        closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as own,
    ):
        before = counter.carried["to_server"]
        assert len(Shop(own, keys).cart("1").lines) == MOST_LINES
        sent_bytes = counter.carried["to_server"] - before
    most_pages = 2 * LARGE / HASH_COUNT + 2  # of a table with at most two places a line
    assert counter.times("HSCAN") <= most_pages, str(counter)
    assert counter.times(f"HGETALL {keys.cart('1')}") == 0, str(counter)
    # a look at each line's SKU would take twenty times as many
    assert sent_bytes <= (MOST_LINES + most_pages) * 100, str(counter)
