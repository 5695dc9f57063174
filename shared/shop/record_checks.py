"""What ids, names, prices and quantities may be, and how texts that someone else stored are shown.

Only ASCII digits count as digits, and the length is bounded before a text becomes a number: `Decimal("1e999999")` and
`int("٣")` are both fine with Python, and neither belongs into a shop. What is refused is said with the option's name.
"""

from __future__ import annotations

import re
from decimal import Decimal
from unicodedata import category

from shared.errors import InvalidInputError
from shared.keys import ID_PATTERN
from shared.text import CONTROL_CATEGORIES, is_control, quoted_text

MAX_NAME_CHARACTERS = 200
MAX_PRICE = Decimal("999999999.99")
MAX_QUANTITY = 1_000_000
PRICE_PATTERN = r"[0-9]{1,9}(\.[0-9]{1,2})?"
_INVISIBLE_CATEGORIES = (*CONTROL_CATEGORIES, "Cf", "Zs")


def checked_id(where: str, text: str) -> str:
    """Return the id of a user or a SKU.

    Args:
        where: What the id is given as, for the error.
        text: 1 to 64 of the letters A to Z and a to z, digits, `_` and `-`.

    Raises:
        InvalidInputError: It is something else.
    """
    if not re.fullmatch(ID_PATTERN, text):
        raise InvalidInputError(where=where, expected="an id of 1 to 64 of A-Z a-z 0-9 _ -", got=quoted_text(text))
    return text


def checked_name(where: str, text: str) -> str:
    """Return a name, exactly as given.

    Args:
        where: What the name is given as, for the error.
        text: 1 to 200 characters, at least one of them visible, none that controls a terminal or turns its text round.

    Raises:
        InvalidInputError: It is something else.
    """
    if not 1 <= len(text) <= MAX_NAME_CHARACTERS:
        got = "none" if not text else f"{len(text)}"
        raise InvalidInputError(where=where, expected=f"1 to {MAX_NAME_CHARACTERS} characters", got=got)
    if any(is_control(character) for character in text):
        expected = "no control, line-breaking or direction-changing characters"
        raise InvalidInputError(where=where, expected=expected, got=quoted_text(text))
    if all(category(character) in _INVISIBLE_CATEGORIES for character in text):
        raise InvalidInputError(where=where, expected="a name that can be seen", got=quoted_text(text))
    return text


def checked_price(where: str, text: str) -> Decimal:
    """Return a price of 0.00 to 999999999.99, with two decimal places.

    Args:
        where: What the price is given as, for the error.
        text: ASCII digits, at most nine before the point and at most two behind it.

    Raises:
        InvalidInputError: It is something else.
    """
    price = price_of(text)
    if price is None:
        expected = f"a price from 0.00 to {MAX_PRICE} with at most two decimal places"
        raise InvalidInputError(where=where, expected=expected, got=quoted_text(text))
    return price


def checked_quantity(where: str, text: str) -> int:
    """Return a quantity of 1 to 1,000,000.

    Args:
        where: What the quantity is given as, for the error.
        text: ASCII digits.

    Raises:
        InvalidInputError: It is something else.
    """
    if not re.fullmatch(r"[0-9]{1,18}", text) or not 1 <= int(text) <= MAX_QUANTITY:
        raise InvalidInputError(where=where, expected=f"a whole number from 1 to {MAX_QUANTITY}", got=quoted_text(text))
    return int(text)


def price_of(text: str) -> Decimal | None:
    """Return the price that a text spells, with two decimal places, or None."""
    return Decimal(text).quantize(Decimal("0.01")) if re.fullmatch(PRICE_PATTERN, text) else None


def quantity_of(text: str) -> int | None:
    """Return the quantity that a stored text spells, where Redis could count on with it, or None.

    Someone else may have stored more than our own bound: any positive number of up to 18 digits counts.
    """
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else None
