"""What ids, names, prices and quantities may be.

Only ASCII digits count as digits, and a text's length is bounded before it becomes a number, because Python accepts
`Decimal("1e999999")` and `int("٣")`. `where` is the option or argument that the error names.
"""

from __future__ import annotations

import re
from decimal import Decimal
from unicodedata import category

from shared.errors import InvalidInputError
from shared.fields import spelled_number
from shared.keys import ID_PATTERN
from shared.text import CONTROL_CATEGORIES, is_control, typed_text

MAX_NAME_CHARACTERS = 200
MAX_PRICE = Decimal("999999999.99")
MAX_QUANTITY = 1_000_000
PRICE_PATTERN = r"[0-9]{1,9}(\.[0-9]{1,2})?"
_INVISIBLE_CATEGORIES = (*CONTROL_CATEGORIES, "Cf", "Zs")


def checked_id(where: str, text: str) -> str:
    """Return the id of a user or a SKU: 1 to 64 letters, digits, `_` and `-`, all ASCII."""
    if not re.fullmatch(ID_PATTERN, text):
        raise _refusal(where, "an id of 1 to 64 of A-Z a-z 0-9 _ -", text)
    return text


def checked_name(where: str, text: str) -> str:
    """Return a name of 1 to 200 characters, with a visible one and none that controls a terminal or text direction."""
    if not 1 <= len(text) <= MAX_NAME_CHARACTERS:
        expected, got = f"1 to {MAX_NAME_CHARACTERS} characters", str(len(text) or "none")
        raise InvalidInputError(where=where, expected=expected, got=got)
    if any(map(is_control, text)):
        raise _refusal(where, "no control, line-breaking or direction-changing characters", text)
    if all(category(character) in _INVISIBLE_CATEGORIES for character in text):
        raise _refusal(where, "a name that can be seen", text)
    return text


def checked_price(where: str, text: str) -> Decimal:
    """Return a price of 0.00 to 999999999.99, with two decimal places."""
    price = price_of(text)
    if price is None:
        raise _refusal(where, f"a price from 0.00 to {MAX_PRICE} with at most two decimal places", text)
    return price


def checked_quantity(where: str, text: str) -> int:
    """Return a quantity of 1 to 1,000,000, spelled as other numbers of options are."""
    number = spelled_number(text)
    if number is None or not 1 <= number <= MAX_QUANTITY:
        raise _refusal(where, f"a whole number from 1 to {MAX_QUANTITY}", text)
    return number


def _refusal(where: str, expected: str, text: str) -> InvalidInputError:
    return InvalidInputError(where=where, expected=expected, got=typed_text(text))


def price_of(text: str) -> Decimal | None:
    """Return the price that a text spells, with two decimal places, or None."""
    return Decimal(text).quantize(Decimal("0.01")) if re.fullmatch(PRICE_PATTERN, text) else None


def quantity_of(text: str) -> int | None:
    """Return the quantity that a stored text spells, or None.

    Somebody else may have stored more than our bound: any positive number of up to 18 digits, with which HINCRBY can
    go on, counts.
    """
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,17}", text) else None
