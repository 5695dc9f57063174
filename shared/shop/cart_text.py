"""How a cart is shown: as lines for people and as a dict for JSON, the same in both programs.

Money stays text everywhere outside: a JSON number would be read back as a float.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unicodedata import combining, east_asian_width

from shared.shop.records import Cart, CartLine
from shared.text import shown_text

TIMES = "\N{MULTIPLICATION SIGN}"


def money_text(amount: Decimal) -> str:
    """Return an amount with two decimal places and thousands separators, such as `1,299.99`."""
    return f"{amount:,.2f}"


def cart_text(cart: Cart) -> str:
    """Return a cart as aligned lines, the total last; a line that does not count says why."""
    if not cart.lines:
        return f"Cart {cart.user_id} is empty."
    rows = [_row(line) for line in cart.lines]
    rows.append(("total", "", "", "", money_text(cart.total), _total_note(cart)))
    widths = [max(_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    shown = [f"Cart {cart.user_id}:"]
    for sku_id, name, price, quantity, total, note in rows:
        left = f"  {_padded(sku_id, widths[0])}  {_padded(name, widths[1])}"
        times = TIMES if quantity else " "
        numbers = f"{price:>{widths[2]}} {times} {quantity:>{widths[3]}}  {total:>{widths[4]}}"
        shown.append(f"{left}  {numbers}  {note}".rstrip())
    return "\n".join(shown)


def cart_json(cart: Cart) -> dict[str, Any]:
    """Return a cart as it appears in JSON.

    Returns:
        `user`, `lines` (each `sku`, `name`, `price`, `quantity`, `total`; null for what is not known) and `total`.
    """
    return {"user": cart.user_id, "lines": [_line_json(line) for line in cart.lines], "total": f"{cart.total:.2f}"}


def _line_json(line: CartLine) -> dict[str, Any]:
    return {
        "sku": line.sku_id,
        "name": line.name,
        "price": None if line.price is None else f"{line.price:.2f}",
        "quantity": line.quantity,
        "total": None if line.total is None else f"{line.total:.2f}",
    }


def _row(line: CartLine) -> tuple[str, str, str, str, str, str]:
    name = shown_text(line.name or "")
    price = "" if line.price is None else money_text(line.price)
    quantity = "" if line.quantity is None else f"{line.quantity:,}"
    total = "" if line.total is None else money_text(line.total)
    return shown_text(line.sku_id), name, price, quantity, total, f"({line.note})" if line.note else ""


def _total_note(cart: Cart) -> str:
    left_out = cart.uncounted_lines
    return f"(without {left_out} line{'s' if left_out > 1 else ''})" if left_out else ""


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Return the columns that a text takes on a terminal."""
    return sum(0 if combining(character) else 1 + (east_asian_width(character) in "FW") for character in text)
