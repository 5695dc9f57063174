"""Changes of carts on real servers: bounds that hold however many change one cart at once, and lost replies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.carts import CartChange, CartChanger
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import EndpointUnreachableError, HandoverError, InvalidInputError, WrongEndpointError
from shared.keys import Keyspace
from shared.shop.record_checks import MAX_QUANTITY
from shared.shop.records import User
from tests.stage.losing_proxy import ReplyLosingProxy
from tests.stage.shop_fixtures import endpoint, keys, shop

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

AT_ONCE = 10


@pytest.fixture
def changer(shop: Shop) -> CartChanger:
    """Changes the carts of the shop."""
    return CartChanger(shop)


def at_once(
    server: Server, keys: Keyspace, change: Callable[[CartChanger], CartChange]
) -> list[CartChange | HandoverError]:
    """Make the same change ten times at once, each on an endpoint of its own, and return what became of each."""
    start = threading.Barrier(AT_ONCE)

    def one(_: int) -> CartChange | HandoverError:
        with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as own:
            start.wait(timeout=60)
            try:
                return change(CartChanger(Shop(own, keys)))
            except HandoverError as error:
                return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_pieces_are_added_and_removed(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    assert changer.add("1", "sku123", 4) == CartChange(4, 5)
    assert changer.remove("1", "sku123", 2) == CartChange(2, 3)
    assert client.hget(keys.cart("1"), "sku123") == b"3"


@pytest.mark.parametrize("quantity", [1, 2, MAX_QUANTITY])
def test_removing_at_least_as_many_as_there_are_removes_the_line(
    changer: CartChanger, client: redis.Redis, keys: Keyspace, quantity: int
) -> None:
    assert changer.remove("1", "sku123", quantity) == CartChange(1, 0)
    assert client.hgetall(keys.cart("1")) == {b"sku456": b"1"}
    with pytest.raises(InvalidInputError):
        changer.remove("1", "sku123", 1)


def test_the_cart_goes_with_its_last_line(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    changer.remove("1", "sku123", 1)
    changer.remove("1", "sku456", 1)
    assert not client.exists(keys.cart("1"))


def test_user_and_sku_must_exist_to_add(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    for user_id, sku_id, where in (("9", "sku123", "user 9"), ("1", "none", "SKU none")):
        with pytest.raises(InvalidInputError) as caught:
            changer.add(user_id, sku_id, 1)
        assert caught.value.where == where
    assert not client.exists(keys.cart("9"))


def test_what_is_no_longer_sold_can_be_removed(changer: CartChanger, shop: Shop) -> None:
    shop.remove_sku("sku123")
    assert changer.remove("1", "sku123", 1) == CartChange(1, 0)


def test_a_line_holds_a_million_and_no_more(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    assert changer.add("1", "sku123", MAX_QUANTITY - 1).left == MAX_QUANTITY
    with pytest.raises(InvalidInputError):
        changer.add("1", "sku123", 1)
    assert client.hget(keys.cart("1"), "sku123") == b"1000000"


def test_a_quantity_of_others_is_kept_from_harm(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    client.hset(keys.cart("1"), "sku123", "abc")
    with pytest.raises(WrongEndpointError):
        changer.add("1", "sku123", 1)
    assert client.hget(keys.cart("1"), "sku123") == b"abc"
    assert changer.remove("1", "sku123", 1) == CartChange(0, 0)


def test_a_cart_of_another_type_is_named(changer: CartChanger, client: redis.Redis, keys: Keyspace) -> None:
    client.set(keys.cart("1"), "a string")
    for change in (changer.add, changer.remove):
        with pytest.raises(WrongEndpointError) as caught:
            change("1", "sku123", 1)
        assert caught.value.where.startswith(keys.cart("1"))


def test_ten_removals_at_once_never_go_below_nothing(
    server: Server, shop: Shop, keys: Keyspace, client: redis.Redis
) -> None:
    CartChanger(shop).add("1", "sku123", 5)
    outcomes = at_once(server, keys, lambda changer: changer.remove("1", "sku123", 1))
    changes = [outcome for outcome in outcomes if isinstance(outcome, CartChange)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, InvalidInputError)]
    assert sorted(change.left for change in changes) == [0, 1, 2, 3, 4, 5]
    assert len(refused) == 4
    assert client.hgetall(keys.cart("1")) == {b"sku456": b"1"}


def test_additions_at_once_are_all_counted(server: Server, shop: Shop, keys: Keyspace) -> None:
    outcomes = at_once(server, keys, lambda changer: changer.add("1", "sku123", 3))
    assert all(isinstance(outcome, CartChange) for outcome in outcomes)
    assert shop.cart("1").lines[0].quantity == 1 + 3 * AT_ONCE


def test_additions_at_once_stop_at_the_bound(server: Server, shop: Shop, keys: Keyspace) -> None:
    CartChanger(shop).add("1", "sku123", MAX_QUANTITY - 6)
    outcomes = at_once(server, keys, lambda changer: changer.add("1", "sku123", 1))
    assert sum(isinstance(outcome, CartChange) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, InvalidInputError) for outcome in outcomes) == 5
    assert shop.cart("1").lines[0].quantity == MAX_QUANTITY


def test_a_user_removed_under_additions_leaves_no_cart(
    server: Server, shop: Shop, keys: Keyspace, client: redis.Redis
) -> None:
    for _ in range(10):
        shop.write(User("1", "Parker", "Perry"))
        removal = threading.Thread(target=shop.remove_user, args=("1",))
        removal.start()
        at_once(server, keys, lambda changer: changer.add("1", "sku123", 1))
        removal.join()
        assert client.exists(keys.user("1")) == client.exists(keys.cart("1")) == 0


@pytest.fixture
def losing_proxy(server: Server) -> Iterator[ReplyLosingProxy]:
    """A proxy in front of the server that loses the replies to transactions."""
    proxy = ReplyLosingProxy(server.port)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("operation", ["add", "remove"])
def test_a_change_whose_reply_is_lost_is_made_once_and_said_to_be_unknown(
    shop: Shop, losing_proxy: ReplyLosingProxy, keys: Keyspace, operation: str
) -> None:
    with closing(open_endpoint(EndpointSettings(url=parse_url(losing_proxy.url)))) as own:
        changer = CartChanger(Shop(own, keys))
        change = {"add": changer.add, "remove": changer.remove}[operation]
        with pytest.raises(EndpointUnreachableError) as caught:
            change("1", "sku123", 2)
    assert "server-a cart show 1" in caught.value.advice
    assert losing_proxy.executions == 1
    quantities = {line.sku_id: line.quantity for line in shop.cart("1").lines}
    assert quantities == ({"sku123": 3, "sku456": 1} if operation == "add" else {"sku456": 1})
