"""How a cart is shown: as lines for people and as a dict for JSON, the same in both programs.

Money is text in JSON, because a JSON number would be read back as a float.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unicodedata import combining, east_asian_width

from shared.shop.records import Cart, CartLine
from shared.text import joined_lines, shortened, shown_text

MAX_NAME_BYTES = 800  # 200 characters, as our names have at most
TIMES = "\N{MULTIPLICATION SIGN}"


def money_text(amount: Decimal | None) -> str:
    """Return an amount with two decimal places and thousands separators, such as `1,299.99`; empty for None."""
    return "" if amount is None else f"{amount:,.2f}"


def cart_text(cart: Cart) -> str:
    """Return a cart as aligned lines, the total last; a line that does not count says why."""
    if not cart.lines and not cart.left_out:
        return f"Cart {cart.user_id} is empty."
    left_out = cart.uncounted_lines
    note = f"(without {left_out:,} line{'s' if left_out > 1 else ''})" if left_out else ""
    rows = [*map(_row, cart.lines), ("total", "", "", "", money_text(cart.total), note)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    of = f", {len(cart.lines):,} of {len(cart.lines) + cart.left_out:,} lines" if cart.left_out else ""
    shown = [f"Cart {cart.user_id}{of}:"]
    for sku_id, name, price, quantity, total, note in rows:
        left = f"  {_padded(sku_id, widths[0])}  {_padded(name, widths[1])}"
        times = TIMES if quantity else " "
        numbers = f"{price:>{widths[2]}} {times} {quantity:>{widths[3]}}  {total:>{widths[4]}}"
        shown.append(f"{left}  {numbers}  {note}".rstrip())
    return joined_lines(shown)


def cart_json(cart: Cart) -> dict[str, Any]:
    """Return a cart as it appears in JSON, with null for what is not known, as the total where lines were not read."""
    lines = [
        {
            "sku": shortened(line.sku_id, MAX_NAME_BYTES),
            "name": None if line.name is None else shortened(line.name, MAX_NAME_BYTES),
            "price": _plain(line.price),
            "quantity": line.quantity,
            "total": _plain(line.total),
        }
        for line in cart.lines
    ]
    return {"user": cart.user_id, "lines": lines, "total": None if cart.left_out else _plain(cart.total)}


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def _row(line: CartLine) -> tuple[str, str, str, str, str, str]:
    quantity = "" if line.quantity is None else f"{line.quantity:,}"
    note = f"({line.note})" if line.note else ""
    names = shown_text(shortened(line.sku_id, MAX_NAME_BYTES)), shown_text(shortened(line.name or "", MAX_NAME_BYTES))
    return *names, money_text(line.price), quantity, money_text(line.total), note


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(0 if combining(character) else 1 + (east_asian_width(character) in "FW") for character in text)
