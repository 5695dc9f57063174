"""The shop on real servers: users and SKUs of ours, and what others put under the same keys."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from server_a.shop.carts import CartChanger
from server_a.shop.shop import Shop
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, WrongEndpointError
from shared.keys import Keyspace
from shared.shop.cart_text import cart_json
from shared.shop.reader import read_carts
from shared.shop.records import Sku, User
from tests.stage.shop_fixtures import endpoint, keys, shop, write_shop

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]


def test_the_sample_is_stored_as_the_exercise_stores_it(shop: Shop, client: redis.Redis, namespace: str) -> None:
    assert client.hgetall(f"{namespace}:user:1") == {b"first_name": b"Parker", b"last_name": b"Perry"}
    assert client.hgetall(f"{namespace}:sku:sku123") == {b"name": b"AirPods", b"price": b"199.99"}
    assert client.hgetall(f"{namespace}:sku:sku456") == {b"name": b"Mechanical Keyboard", b"price": b"89.99"}
    assert client.hgetall(f"{namespace}:cart:1") == {b"sku123": b"1", b"sku456": b"1"}
    assert str(shop.cart("1").total) == "289.98"


def test_writing_a_shop_again_changes_nothing(endpoint: Endpoint, keys: Keyspace, client: redis.Redis) -> None:
    stored = []
    for _ in range(2):
        write_shop(endpoint, keys, users=2500, skus=40, carts=1200, seed=7)
        stored.append({key: client.hgetall(key) for key in client.scan_iter(f"{keys.prefix}*", count=1000)})
    assert len(stored[0]) == 2500 + 40 + 1200
    assert stored[0] == stored[1]


def test_a_larger_shop_holds_the_smaller_one(endpoint: Endpoint, keys: Keyspace, client: redis.Redis) -> None:
    write_shop(endpoint, keys, users=20, skus=10, carts=0, seed=7)
    smaller = {key: client.hgetall(key) for key in client.scan_iter(f"{keys.prefix}*")}
    write_shop(endpoint, keys, users=50, skus=30, carts=0, seed=7)
    assert {key: client.hgetall(key) for key in smaller} == smaller


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_sample_leaves_what_others_changed_unless_told_to_overwrite(
    shop: Shop, client: redis.Redis, *, overwrite: bool
) -> None:
    """Fields that others added to a record stay in any case."""
    endpoint, keys = shop.endpoint, shop.keys
    CartChanger(shop).add("1", "sku123", 4)
    client.hset(keys.user("1"), mapping={"nickname": "PP", "first_name": "Pia"})
    write_shop(endpoint, keys, users=1, skus=2, carts=1, overwrite=overwrite)
    assert shop.user("1") == User("1", "Parker" if overwrite else "Pia", "Perry", (("nickname", "PP"),))
    assert [line.quantity for line in shop.cart("1").lines] == [1 if overwrite else 5, 1]


def test_records_are_created_replaced_and_removed(shop: Shop) -> None:
    assert shop.write(User("2", "Ada", "Lovelace"))
    assert not shop.write(User("2", "Ada", "Byron"))
    assert shop.user("2").full_name == "Ada Byron"
    assert shop.write(Sku("s", "Lamp", Decimal("1.00")))
    assert not shop.write(Sku("s", "Lamp", Decimal("2.00")))
    assert shop.sku("s").price == Decimal("2.00")
    shop.remove_user("2")
    shop.remove_sku("s")
    for missing in (lambda: shop.user("2"), lambda: shop.sku("s"), lambda: shop.cart("2")):
        with pytest.raises(InvalidInputError):
            missing()


def test_removing_what_is_not_there_is_an_error(shop: Shop) -> None:
    with pytest.raises(InvalidInputError):
        shop.remove_user("2")
    with pytest.raises(InvalidInputError):
        shop.remove_sku("s")


def test_removing_a_user_removes_the_cart(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    shop.remove_user("1")
    assert not client.exists(keys.user("1"), keys.cart("1"))


def test_a_user_without_a_cart_has_an_empty_one(shop: Shop) -> None:
    shop.write(User("2", "Ada", "Lovelace"))
    assert shop.cart("2").lines == ()


def test_removing_a_user_without_a_cart_leaves_none(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    shop.write(User("2", "Ada", "Lovelace"))
    shop.remove_user("2")
    assert not client.exists(keys.user("2"), keys.cart("2"))


def test_a_cart_left_without_its_user_can_be_removed(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    client.unlink(keys.user("1"))
    shop.remove_user("1")
    assert not client.exists(keys.cart("1"))


def test_users_are_listed_in_natural_order(endpoint: Endpoint, keys: Keyspace) -> None:
    write_shop(endpoint, keys, users=2100, skus=12, carts=0, seed=1)
    shop = Shop(endpoint, keys)
    assert [user.user_id for user in shop.users()] == [str(number) for number in range(1, 2101)]
    assert [sku.sku_id for sku in shop.skus()][:4] == ["sku123", "sku456", "sku1001", "sku1002"]


def test_keys_of_others_are_passed_over_in_lists(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    client.set(keys.user("2"), "a string")
    client.hset(keys.user("3:profile"), "a", "b")
    client.hset(keys.user("").encode() + b"\xff", "a", "b")
    client.hset(keys.user("4"), mapping={b"last_name": b"\xff\x1b"})
    assert list(shop.users()) == [User("1", "Parker", "Perry"), User("4", "", "\\xff\x1b")]


@pytest.mark.parametrize("kind", ["user", "sku", "cart"])
def test_a_key_of_another_type_is_named(shop: Shop, client: redis.Redis, keys: Keyspace, kind: str) -> None:
    key = {"user": keys.user("9"), "sku": keys.sku("9"), "cart": keys.cart("9")}[kind]
    client.set(key, "a string")
    read = {"user": shop.user, "sku": shop.sku, "cart": shop.cart}[kind]
    remove = {"user": shop.remove_user, "sku": shop.remove_sku, "cart": shop.remove_user}[kind]
    for operation in (read, remove):
        with pytest.raises(WrongEndpointError) as caught:
            operation("9")
        assert caught.value.where.startswith(key)
    assert client.get(key) == b"a string"


def test_carts_show_what_no_longer_counts(shop: Shop, client: redis.Redis, keys: Keyspace) -> None:
    shop.remove_sku("sku123")
    client.set(keys.sku("string"), "x")
    client.hset(keys.sku("dear"), mapping={"name": "Dear", "price": "NaN"})
    client.hset(keys.cart("1"), mapping={"string": 1, "dear": 2, "sku10": "abc", b"\xff:\x1b": "3"})
    cart = shop.cart("1")
    assert {line.sku_id: line.note for line in cart.lines} == {
        "\\xff:\x1b": "no longer sold",
        "dear": "price can't be read",
        "sku10": "no longer sold",
        "sku123": "no longer sold",
        "sku456": "",
        "string": "no longer sold",
    }
    assert str(cart.total) == "89.99"


def test_several_carts_come_in_the_order_asked_for(endpoint: Endpoint, keys: Keyspace) -> None:
    write_shop(endpoint, keys, users=10, skus=5, carts=10, seed=1)
    ids = ["10", "1", "none", "3"]
    carts = read_carts(endpoint, keys, ids, most_lines=10)
    assert [cart.user_id for cart in carts] == ids
    assert [cart_json(cart) for cart in carts] == [
        cart_json(read_carts(endpoint, keys, [user_id], most_lines=10)[0]) for user_id in ids
    ]
    assert cart_json(carts[2]) == {"user": "none", "lines": [], "total": "0.00"}
