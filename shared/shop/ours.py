"""Which records of the shop are ours: users and SKUs with exactly our fields, and carts whose lines have our form.

Somebody else's hash may have our names and some of our fields, so a field more or less makes a record somebody else's.
A cart has no field names of its own: of a cart alone only its form can be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import InvalidInputError, LongReplyError
from shared.keys import ID_PATTERN
from shared.ownership import foreign_error
from shared.shop.record_checks import checked_name, price_of, quantity_of

if TYPE_CHECKING:
    from shared.endpoint.node_client import Command


class Held(NamedTuple):
    """What a key of a user or SKU holds: `questions` with their replies."""

    length: int  # fields of it; 0 where there is no such key
    values: Sequence[bytes | None]  # of our fields


USER_FIELDS = ("first_name", "last_name")
SKU_FIELDS = ("name", "price")


def is_user(length: int, values: Sequence[bytes | None]) -> bool:
    """Tell whether a hash of so many fields with these values of `USER_FIELDS` is a user of ours."""
    return length == len(USER_FIELDS) and all(map(_is_name, values))


def is_sku(length: int, values: Sequence[bytes | None]) -> bool:
    """Tell whether a hash of so many fields with these values of `SKU_FIELDS` is a SKU of ours, with a valid price."""
    name, price = values
    text = (price or b"").decode("ascii", "replace")
    return length == len(SKU_FIELDS) and _is_name(name) and price_of(text) is not None


def is_line(line: tuple[bytes, bytes]) -> bool:
    """Tell whether a field of a cart is a line of ours: an id and a quantity."""
    sku_id, quantity = line
    is_id = re.fullmatch(ID_PATTERN.encode(), sku_id) is not None
    return is_id and quantity_of(quantity.decode("ascii", "replace")) is not None


def questions(key: str, names: Sequence[str]) -> tuple[Command, Command]:
    """Return what is asked of a user or SKU; never for all fields, of which somebody else's hash may have a million."""
    return ("HLEN", key), ("HMGET", key, *names)


def require_our_user(key: str, held: Held) -> None:
    """Raise WrongKeyError if a user's key holds somebody else's fields."""
    if held.length and not is_user(*held):
        raise foreign_error(key, "no key, or first_name and last_name alone", "a hash of somebody else's")


def require_our_sku(key: str, held: Held) -> None:
    """Raise WrongKeyError if a SKU's key holds somebody else's fields."""
    if held.length and not is_sku(*held):
        raise foreign_error(key, "no key, or name and price alone", "a hash of somebody else's")


@contextmanager
def long_is_foreign(key: str) -> Iterator[None]:
    """Raise WrongKeyError where a reply is longer than of a record of ours."""
    try:
        yield
    except LongReplyError as error:
        raise foreign_error(key, "no key, or a record of the shop", "values of somebody else's, too long") from error


def require_our_cart(key: str, fields: Mapping[bytes, bytes]) -> None:
    """Raise WrongKeyError if a cart's key holds fields that are no lines of ours."""
    if not all(map(is_line, fields.items())):
        raise foreign_error(key, "no key, or ids of SKUs with quantities", "a hash of somebody else's")


def _is_name(raw: bytes | None) -> bool:
    try:
        checked_name("name", (raw or b"").decode())
    except (InvalidInputError, UnicodeDecodeError):
        return False
    return True
