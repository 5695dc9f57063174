# ruff: noqa: RUF001 - the multiplication sign is what people see
"""Carts and records as text: what people see on the terminal, and the JSON of a cart."""

from __future__ import annotations

import json
from decimal import Decimal

from server_a.shop.record_commands import sku_line, sku_text, user_line, user_text
from shared.shop.cart_text import cart_json, cart_text
from shared.shop.records import Cart, Sku, User, decode_cart_line

AIRPODS = Sku("sku123", "AirPods", Decimal("199.99"))
KEYBOARD = Sku("sku456", "Mechanical Keyboard", Decimal("89.99"))


def test_the_sample_cart() -> None:
    cart = Cart("1", (decode_cart_line("sku123", b"1", AIRPODS), decode_cart_line("sku456", b"1", KEYBOARD)))
    assert cart_text(cart).splitlines() == [
        "Cart 1:",
        "  sku123  AirPods              199.99 × 1  199.99",
        "  sku456  Mechanical Keyboard   89.99 × 1   89.99",
        "  total                                    289.98",
    ]


def test_lines_that_do_not_count_are_shown_with_their_reason() -> None:
    lines = (decode_cart_line("sku9", b"2", None), decode_cart_line("sku123", b"1000", AIRPODS))
    assert cart_text(Cart("1", lines)).splitlines() == [
        "Cart 1:",
        "  sku9                    ×     2              (no longer sold)",
        "  sku123  AirPods  199.99 × 1,000  199,990.00",
        "  total                            199,990.00  (without 1 line)",
    ]


def test_wide_characters_take_two_columns() -> None:
    lamp = Sku("s", "東京", Decimal("1.00"))
    lines = cart_text(
        Cart("1", (decode_cart_line("s", b"1", lamp), decode_cart_line("sku123", b"1", AIRPODS)))
    ).splitlines()
    assert lines[1] == "  s       東京       1.00 × 1    1.00"


def test_an_empty_cart() -> None:
    assert cart_text(Cart("1", ())) == "Cart 1 is empty."
    assert cart_json(Cart("1", ())) == {"user": "1", "lines": [], "total": "0.00"}


def test_a_cart_as_json_has_money_as_text() -> None:
    cart = Cart("1", (decode_cart_line("sku123", b"2", AIRPODS), decode_cart_line("sku9", b"x", None)))
    assert json.loads(json.dumps(cart_json(cart))) == {
        "user": "1",
        "lines": [
            {"sku": "sku123", "name": "AirPods", "price": "199.99", "quantity": 2, "total": "399.98"},
            {"sku": "sku9", "name": None, "price": None, "quantity": None, "total": None},
        ],
        "total": "399.98",
    }


def test_what_others_stored_controls_no_terminal() -> None:
    hostile = "\x1b[31m\n\u202e"
    sku = Sku("s", hostile, Decimal("1.00"))
    texts = [
        user_text(User("1", "a", hostile, ((hostile, hostile),))),
        user_line(User("1", hostile, hostile)),
        sku_text(Sku("s", hostile, None, (("price", hostile),))),
        sku_line(sku),
        cart_text(Cart("1", (decode_cart_line(hostile, b"1", None), decode_cart_line("s", b"1", sku)))),
    ]
    assert all(line.isprintable() for text in texts for line in text.split("\n"))


def test_users_and_skus_in_full() -> None:
    assert user_text(User("1", "Parker", "", (("nick", "PP"),))) == "User 1:\n  first_name  Parker\n  nick        PP"
    assert sku_text(Sku("s", "Thing", None, (("price", "abc"),))) == "SKU s:\n  name   Thing\n  price  abc"


def test_a_field_of_others_is_shown_without_a_value_too() -> None:
    assert user_text(User("1", "", "P", (("nick", ""),))) == "User 1:\n  last_name  P\n  nick       (empty)"
    assert sku_text(Sku("s", "", None, (("price", ""),))) == "SKU s:\n  price  (empty)"


def test_users_and_skus_as_lines() -> None:
    assert user_line(User("1", "", "")) == "1         (no name)"
    assert sku_line(AIRPODS) == "sku123            199.99  AirPods"
    assert sku_line(Sku("s", "", None)) == "s               no price  (no name)"
