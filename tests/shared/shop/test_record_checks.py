"""What ids, names, prices and quantities are taken, and what is refused with which sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.shop.record_checks import (
    MAX_PRICE,
    MAX_QUANTITY,
    checked_id,
    checked_name,
    checked_price,
    checked_quantity,
    quantity_of,
)
from shared.text import quoted_text, shown_text

NO_NUMBERS = [
    "",
    " ",
    "NaN",
    "Infinity",
    "1e999999",
    "-1",
    "+1",
    "٣",
    "\uff11",
    "²",
    "1_00",
    "0x10",
    "1,5",
    "1\n",
    " 1",
    "9" * 5000,
]


@pytest.mark.parametrize("text", ["1", "sku123", "A_b-9", "-", "x" * 64])
def test_ids_are_taken_as_they_are(text: str) -> None:
    assert checked_id("user ID", text) == text


@pytest.mark.parametrize("text", ["", "a b", "a:b", "a\n", "é", "٣", "*", "{1}", "x" * 65, "\udcff", "a\x00b"])
def test_other_ids_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_id("user ID", text)
    assert caught.value.where == "user ID"


@pytest.mark.parametrize("text", ["P", "Björn", "東京", "O'Neill-Smith Jr.", " x ", "👩‍💻", "n" * 200, "e\u0301"])
def test_names_are_taken_as_they_are(text: str) -> None:
    assert checked_name("--name", text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n" * 201,
        " ",
        "\u00a0\u2003",
        "\u200b",
        "a\nb",
        "a\tb",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "a\u2028",
        "a\u2029",
        "\udcff",
    ]
    + [f"a{control}b" for control in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"],
)
def test_names_that_would_deceive_or_break_a_line_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_name("--name", text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "price"),
    [("0", "0.00"), ("0.00", "0.00"), ("199.9", "199.90"), ("007.5", "7.50"), ("999999999.99", "999999999.99")],
)
def test_prices_get_two_decimal_places(text: str, price: str) -> None:
    assert str(checked_price("--price", text)) == price


@pytest.mark.parametrize("text", [*NO_NUMBERS, "1.", ".5", "1.234", "1000000000", "9223372036854775808", "1.٣"])
def test_other_prices_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_price("--price", text)
    assert (caught.value.where, caught.value.exit_code) == ("--price", 2)
    assert len(str(caught.value)) < 200


@given(st.decimals(min_value=0, max_value=MAX_PRICE, places=2))
def test_every_price_within_bounds_survives(price: Decimal) -> None:
    assert checked_price("--price", f"{price:.2f}") == price


@pytest.mark.parametrize(("text", "quantity"), [("1", 1), ("007", 7), ("1,000", 1_000), ("1m", MAX_QUANTITY)])
def test_quantities_are_whole_numbers(text: str, quantity: int) -> None:
    assert checked_quantity("--quantity", text) == quantity


@pytest.mark.parametrize("text", [*NO_NUMBERS, "0", "1.0", "1000001", "9223372036854775808"])
def test_other_quantities_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_quantity("--quantity", text)
    assert caught.value.where == "--quantity"


@pytest.mark.parametrize(
    ("text", "quantity"),
    [("1", 1), ("9" * 18, 10**18 - 1), ("0", None), ("-3", None), ("01", None), ("9" * 19, None), ("x", None)],
)
def test_stored_quantities_count_where_redis_could_count_on(text: str, quantity: int | None) -> None:
    assert quantity_of(text) == quantity


@given(st.text(st.characters()))
def test_shown_text_controls_no_terminal(text: str) -> None:
    shown = shown_text(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    shown.encode()


@pytest.mark.parametrize(
    "quote", [quoted_text, lambda text: str(InvalidInputError(where="x", expected="y", got=quoted_text(text)))]
)
def test_quoted_text_is_short_and_printable(quote: Callable[[str], str]) -> None:
    assert quote("\x1b\n\u202e\udcff").isprintable()
    assert len(quote("x" * 10_000)) < 100
