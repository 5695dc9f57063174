"""The sample shop: the original exercise first, then records that depend on the seed and their number alone."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from server_a.shop.sample import MOST_CART_LINES, MOST_PIECES, sample_cart, sample_name, sample_sku
from shared.shop.record_checks import checked_id, checked_name, checked_price
from shared.shop.records import Sku, User

seeds = st.integers(0, 2**31 - 1)
numbers = st.integers(1, 10**8)


@given(seeds)
def test_the_exercise_comes_first_whatever_the_seed(seed: int) -> None:
    assert sample_name(seed, 1) == ("Parker", "Perry")
    assert [sample_sku(seed, number) for number in (1, 2)] == [
        Sku("sku123", "AirPods", Decimal("199.99")),
        Sku("sku456", "Mechanical Keyboard", Decimal("89.99")),
    ]
    assert sample_cart(seed, 1, skus=2) == {"sku123": 1, "sku456": 1}


def test_the_first_cart_holds_only_skus_that_are_written() -> None:
    assert sample_cart(1, 1, skus=1) == {"sku123": 1}


def test_a_seed_gives_the_same_shop_for_ever() -> None:
    assert sample_name(1, 2) == ("Edsger", "Baker")
    assert sample_sku(1, 3) == Sku("sku1001", "Rugged Backpack", Decimal("502.99"))
    assert sample_cart(1, 3, skus=5) == {"sku123": 5, "sku456": 5, "sku1001": 1}


def test_another_seed_gives_another_shop() -> None:
    shops = [[sample_name(seed, number) for number in range(2, 50)] for seed in range(20)]
    assert len({tuple(shop) for shop in shops}) == 20


@given(seeds, numbers)
def test_generated_records_pass_our_own_checks(seed: int, number: int) -> None:
    user, sku = User(str(number), *sample_name(seed, number)), sample_sku(seed, number)
    assert checked_id("user", user.user_id) == str(number)
    assert checked_name("name", user.first_name)
    assert checked_name("name", user.last_name)
    assert checked_id("sku", sku.sku_id)
    assert checked_name("name", sku.name)
    assert checked_price("price", str(sku.price)) == sku.price


@given(seeds, st.integers(2, 10**6), st.integers(1, 20))
def test_generated_carts_hold_skus_of_the_shop_once_each(seed: int, number: int, skus: int) -> None:
    cart = sample_cart(seed, number, skus=skus)
    assert set(cart) <= {sample_sku(seed, sku).sku_id for sku in range(1, skus + 1)}
    assert 1 <= len(cart) <= min(MOST_CART_LINES, skus)
    assert all(1 <= quantity <= MOST_PIECES for quantity in cart.values())


def test_sku_ids_are_all_different() -> None:
    assert len({sample_sku(1, number).sku_id for number in range(1, 5001)}) == 5000
