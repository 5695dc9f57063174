"""The shop's commands beside hashes of others under names of ours: refused, and nothing of those is changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from server_a.shop.carts import CartChanger
from server_a.shop.shop import Shop
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.records import Sku, User
from tests.stage.foreign_keys import make_foreign, snapshot
from tests.stage.shop_fixtures import endpoint, keys, shop

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys", "shop"]

COMMANDS: dict[str, list[Callable[[Shop], object]]] = {
    "user": [
        lambda shop: shop.write(User("42", "Ada", "Lovelace")),
        lambda shop: shop.remove_user("42"),
        lambda shop: CartChanger(shop).add("42", "sku123", 1),
        lambda shop: CartChanger(shop).remove("42", "sku123", 1),
    ],
    "sku": [
        lambda shop: shop.write(Sku("book", "Lamp", Decimal("1.00"))),
        lambda shop: shop.remove_sku("book"),
        lambda shop: CartChanger(shop).add("1", "book", 1),
    ],
    "cart": [
        lambda shop: shop.remove_user("42"),
    ],
}


@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_record_of_others_is_refused_with_the_cure(
    *, kind: str, seed: int, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    names = [make_foreign(client, keys, kind, random.Random(seed))]
    if kind == "user":  # as in a shop of others: the cart's name is ours too
        client.hset(keys.cart("42"), "sku123", "4")
        names.append(keys.cart("42"))
    before = snapshot(client, names)
    for command in COMMANDS[kind]:
        with pytest.raises(WrongKeyError) as caught:
            command(shop)
        assert names[0] in caught.value.where
    assert snapshot(client, names) == before
    assert shop.cart("1").lines
    client.delete(*names)


@pytest.mark.parametrize("seed", range(50))
def test_a_cart_with_fields_that_are_no_lines_is_neither_added_to_nor_removed(
    *, seed: int, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    theirs = {rng.choice(["total", "item 1", "ä", ""]): rng.choice(["19.90", "", "-1", "many", "1e3"]), "sku123": "1"}
    client.hset(keys.cart("42"), mapping=theirs)  # type: ignore[arg-type]
    shop.write(User("42", "Ada", "Lovelace"))
    before = snapshot(client, [keys.cart("42"), keys.user("42")])
    for command in (lambda: CartChanger(shop).add("42", "sku123", 1), lambda: shop.remove_user("42")):
        with pytest.raises(WrongKeyError, match="--namespace"):
            command()
    assert snapshot(client, [keys.cart("42"), keys.user("42")]) == before


@pytest.mark.parametrize("seed", range(50))
def test_a_cart_without_a_sku_that_is_here_outlives_a_user_of_ours(
    *, seed: int, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    """A run, or `user add`, puts a user beside the cart of others: that makes it none of ours."""
    rng = random.Random(seed)
    theirs = {f"item{rng.randint(1, 99)}": str(rng.randint(1, 9)) for _ in range(rng.randint(1, 6))}
    theirs |= {"book": "2"}
    client.hset(keys.cart("42"), mapping=theirs)  # type: ignore[arg-type]
    make_foreign(client, keys, "sku", rng)  # `book`, with other fields than ours
    shop.write(User("42", "Ada", "Lovelace"))
    before = snapshot(client, [keys.cart("42"), keys.user("42")])
    with pytest.raises(WrongKeyError, match="server-a cart remove 42 SKU"):
        shop.remove_user("42")
    assert snapshot(client, [keys.cart("42"), keys.user("42")]) == before
    for name, quantity in theirs.items():  # as the error advises
        CartChanger(shop).remove("42", name, int(quantity))
    shop.remove_user("42")
    assert not client.exists(keys.cart("42"), keys.user("42"))


@pytest.mark.parametrize("seed", range(50))
def test_a_field_that_is_no_line_of_a_cart_without_user_is_not_removed(
    *, seed: int, shop: Shop, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    theirs = {"total": rng.choice(["", "0", "-1", "1.5", "19.90", "many", "1e3", "x" * rng.randint(1, 300)])}
    client.hset(keys.cart("42"), mapping=theirs | {f"item{n}": "1" for n in range(rng.randint(0, 2))})  # type: ignore[arg-type]
    before = snapshot(client, [keys.cart("42")])
    with pytest.raises(WrongKeyError, match="--namespace"):
        CartChanger(shop).remove("42", "total", 1)
    assert snapshot(client, [keys.cart("42")]) == before
    shop.write(User("42", "Ada", "Lovelace"))
    assert CartChanger(shop).remove("42", "total", 1).left == 0
