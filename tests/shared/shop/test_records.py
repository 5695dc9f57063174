"""Records: what is encoded comes back, whatever is stored is decoded, and money is exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.shop.record_checks import MAX_PRICE, MAX_QUANTITY
from shared.shop.records import Cart, CartLine, Sku, User, decode_cart_line
from shared.text import natural_order

names = st.text(st.characters(codec="utf-8"), min_size=1)
prices = st.decimals(min_value=0, max_value=MAX_PRICE, places=2)
foreign_hashes = st.dictionaries(
    st.one_of(st.binary(), st.sampled_from([b"first_name", b"last_name", b"name", b"price"])), st.binary()
)


def stored(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return fields as Redis gives them back."""
    return {name.encode(): value.encode() for name, value in fields.items()}


def line_of(price: str, quantity: bytes) -> CartLine:
    """Return a line of a SKU at this price, as stored."""
    return decode_cart_line("s", quantity, Sku.decode("s", {b"name": b"Thing", b"price": price.encode()}))


@given(names, names)
def test_a_user_survives_encoding(first_name: str, last_name: str) -> None:
    user = User("7", first_name, last_name)
    assert User.decode("7", stored(user.encode())) == user


@given(names, prices)
def test_a_sku_survives_encoding(name: str, price: Decimal) -> None:
    sku = Sku("sku7", name, price)
    assert Sku.decode("sku7", stored(sku.encode())) == sku


@pytest.mark.parametrize(("price", "text"), [("0", "0.00"), ("12.5", "12.50"), ("199.99", "199.99")])
def test_a_price_is_stored_with_two_decimal_places(price: str, text: str) -> None:
    assert Sku("s", "n", Decimal(price)).encode()["price"] == text


@given(foreign_hashes)
def test_whatever_is_stored_is_decoded_without_loss_of_a_field(fields: dict[bytes, bytes]) -> None:
    user, sku = User.decode("1", fields), Sku.decode("s", fields)
    ours = [name for name in (b"first_name", b"last_name") if name in fields]
    assert len(user.other_fields) + len(ours) <= len(fields)
    assert sku.price is None or sku.encode()["price"] == f"{sku.price:.2f}"


def test_fields_of_others_are_kept_in_order_and_escaped_where_they_are_not_utf_8() -> None:
    user = User.decode("1", {b"z": b"1", b"first_name": b"Zo\xc3\xab", b"\xff": b"\xfe", b"a": b""})
    assert user == User("1", "Zoë", "", (("\\xff", "\\xfe"), ("a", ""), ("z", "1")))
    assert user.full_name == "Zoë"


@pytest.mark.parametrize("price", [b"NaN", b"1e999999", b"-1", b"", b"\xff", "٣".encode(), b"1.234", b"9" * 5000])
def test_a_price_that_cannot_be_read_is_kept_as_a_field_of_others(price: bytes) -> None:
    sku = Sku.decode("s", {b"name": b"n", b"price": price})
    assert sku.price is None
    assert sku.other_fields == (("price", price.decode("utf-8", "backslashreplace")),)


def test_a_cart_adds_up() -> None:
    cart = Cart("1", (line_of("199.99", b"1"), line_of("89.99", b"1")))
    assert str(cart.total) == "289.98"
    assert cart.uncounted_lines == 0


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (decode_cart_line("s", b"2", None), "no longer sold"),
        (line_of("NaN", b"2"), "price can't be read"),
        (line_of("1.00", b"abc"), "quantity 'abc' can't be read"),
        (line_of("1.00", b"\xff"), "quantity '\\\\xff' can't be read"),
        (line_of("1.00", b"-5"), "quantity '-5' can't be read"),
        (line_of("1.00", b"0"), "quantity '0' can't be read"),
    ],
)
def test_lines_that_do_not_count_say_why(line: CartLine, note: str) -> None:
    cart = Cart("1", (line, line_of("1.00", b"3")))
    assert (line.note, line.total) == (note, None)
    assert (str(cart.total), cart.uncounted_lines) == ("3.00", 1)


@given(st.lists(st.tuples(st.integers(0, 10**11 - 1), st.integers(1, MAX_QUANTITY)), max_size=50))
def test_totals_are_exact(cents_and_quantities: list[tuple[int, int]]) -> None:
    lines = [line_of(f"{cents // 100}.{cents % 100:02d}", b"%d" % pieces) for cents, pieces in cents_and_quantities]
    assert int(str(Cart("1", tuple(lines)).total).replace(".", "")) == sum(c * q for c, q in cents_and_quantities)


def test_totals_stay_exact_past_the_digits_of_decimal() -> None:
    lines = tuple(line_of("999999999.99", b"9" * 18) for _ in range(1000))
    assert str(Cart("1", lines).total) == f"{99999999999 * (10**18 - 1) * 1000:,}".replace(",", "")[:-2] + ".00"


def test_ids_are_ordered_as_people_expect() -> None:
    ids = ["sku10", "sku9", "10", "9", "sku", "sku9a", "09", "9" * 5000]
    assert sorted(ids, key=natural_order) == ["09", "9", "10", "9" * 5000, "sku", "sku9", "sku9a", "sku10"]


@given(st.lists(st.text()))
def test_any_texts_can_be_ordered(texts: list[str]) -> None:
    assert sorted(sorted(texts, key=natural_order), key=str) == sorted(texts)
