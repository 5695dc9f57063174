"""How users and SKUs are shown to people: as one line in a list, or with every field.

What someone else stored is shown too, with characters that would control a terminal spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.shop.cart_text import money_text
from shared.shop.records import Sku, User
from shared.text import shown_text


def user_line(user: User) -> str:
    """Return a user as one line of a list."""
    return f"{user.user_id:<8}  {shown_text(user.full_name) or '(no name)'}"


def sku_line(sku: Sku) -> str:
    """Return a SKU as one line of a list, the price before the name so that prices stand under each other."""
    return f"{sku.sku_id:<10}  {price_text(sku):>12}  {shown_text(sku.name) or '(no name)'}"


def price_text(sku: Sku) -> str:
    """Return the price of a SKU; `no price` when it has none that can be read."""
    return "no price" if sku.price is None else money_text(sku.price)


def user_text(user: User) -> str:
    """Return a user with every field, one a line; ours are left out where they hold nothing."""
    return _fields_text(f"User {user.user_id}:", user.encode().items(), user.other_fields)


def sku_text(sku: Sku) -> str:
    """Return a SKU as `user_text` does a user; a price that can't be read is shown as it is stored."""
    price = "" if sku.price is None else money_text(sku.price)
    return _fields_text(f"SKU {sku.sku_id}:", [("name", sku.name), ("price", price)], sku.other_fields)


def _fields_text(title: str, ours: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]]) -> str:
    fields = [*((name, value) for name, value in ours if value), *others]
    shown = [(shown_text(name), shown_text(value) or "(empty)") for name, value in fields]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in shown)])
