"""The shop's records: users, SKUs and carts, and the fields of their hashes.

Decoding never fails, because a database is shared: one unreadable price must not hide the rest of a cart. What can't be
read is shown as such, and its line is left out of the total. What *we* write is checked in `record_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.shop.record_checks import price_of, quantity_of
from shared.text import quoted_text, stored_text

OtherFields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class User:
    """A user."""

    user_id: str
    first_name: str  # empty when none is stored
    last_name: str  # the same
    other_fields: OtherFields = ()  # names and values that somebody else put into the hash, sorted by name
    left_out: int = 0  # further fields, which were not read

    @property
    def full_name(self) -> str:
        """First and last name, as far as there are any."""
        return f"{self.first_name} {self.last_name}".strip()

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash, without those of others."""
        return {"first_name": self.first_name, "last_name": self.last_name}

    @classmethod
    def decode(cls, user_id: str, fields: Mapping[bytes, bytes]) -> User:
        """Return the user that a hash's fields spell, whatever they are."""
        texts = _texts(fields)
        return cls(user_id, texts.pop("first_name", ""), texts.pop("last_name", ""), tuple(sorted(texts.items())))


@dataclass(frozen=True)
class Sku:
    """A stock keeping unit: something that is sold."""

    sku_id: str
    name: str  # empty when none is stored
    price: Decimal | None  # with two decimal places; None when none is stored, or none that can be read
    other_fields: OtherFields = ()  # as in `User`; a price that can't be read is among them
    left_out: int = 0  # as in `User`

    def encode(self) -> dict[str, str]:
        """Return the fields of the hash, without those of others."""
        assert self.price is not None, "what can't be read is never written"
        return {"name": self.name, "price": f"{self.price:.2f}"}

    @classmethod
    def decode(cls, sku_id: str, fields: Mapping[bytes, bytes]) -> Sku:
        """Return the SKU that a hash's fields spell, whatever they are."""
        texts = _texts(fields)
        price = price_of(texts.get("price", ""))
        if price is not None:
            del texts["price"]
        return cls(sku_id, texts.pop("name", ""), price, tuple(sorted(texts.items())))


@dataclass(frozen=True)
class CartLine:
    """One line of a cart."""

    sku_id: str  # as stored; bytes that are not UTF-8 are escaped
    name: str | None  # of the SKU; None when it is no longer sold
    price: Decimal | None  # for one piece; None when the SKU is no longer sold or its price can't be read
    quantity: int | None  # None when what is stored is no positive whole number
    stored_quantity: str

    @property
    def total(self) -> Decimal | None:
        """Price times quantity, exactly; None when either is missing, and the line then does not count."""
        if self.price is None or self.quantity is None:
            return None
        return _of_cents(_cents(self.price) * self.quantity)

    @property
    def note(self) -> str:
        """Why the line does not count; empty when it does."""
        if self.name is None:
            return "no longer sold"
        if self.price is None:
            return "price can't be read"
        return f"quantity {quoted_text(self.stored_quantity)} can't be read" if self.quantity is None else ""


@dataclass(frozen=True)
class Cart:
    """The cart of one user; without lines when there is none."""

    user_id: str
    lines: tuple[CartLine, ...]
    left_out: int = 0  # lines that were not read, because there are so many

    @property
    def total(self) -> Decimal:
        """The sum of the lines that count, exactly."""
        return _of_cents(sum(_cents(line.total) for line in self.lines if line.total is not None))

    @property
    def uncounted_lines(self) -> int:
        """How many lines the total leaves out."""
        return self.left_out + sum(line.total is None for line in self.lines)


def decode_cart_line(sku_id: str, stored_quantity: bytes, sku: Sku | None) -> CartLine:
    """Return a line from one field of a cart's hash and its SKU, which is None when it does not exist."""
    text = stored_text(stored_quantity)
    name, price = (sku.name, sku.price) if sku is not None else (None, None)
    return CartLine(sku_id, name, price, quantity_of(text), text)


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {stored_text(name): stored_text(value) for name, value in fields.items()}


# Money is multiplied and added as whole cents: Decimal rounds to 28 digits, int never does.
def _cents(amount: Decimal) -> int:
    return int(f"{amount:.2f}".replace(".", ""))


def _of_cents(cents: int) -> Decimal:
    return Decimal(f"{cents // 100}.{cents % 100:02d}")
