"""Which records of the shop are ours: users and SKUs with exactly our fields, and the carts that hold nothing else.

A cart has no field names of its own, so it is proven by the records that it belongs to. One whose user or SKU is gone
can't be proven, and stays. Carts are therefore removed before users and SKUs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server_a.purge.proofs import Unit, pairs
from shared.endpoint.batch_connection import Reply
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together, portions, without_errors
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.ours import SKU_FIELDS, USER_FIELDS, is_line, is_sku, is_user

MAX_LINES = 10_000  # a cart with more is not looked through, and stays


def shop_unit(keys: Keyspace, kind: str, key: str) -> Unit:
    """Return the unit of a user, a SKU or a cart; a cart's proof asks for its user and SKUs."""
    if kind == "cart":
        return _cart(keys, key)
    names, is_ours = (USER_FIELDS, is_user) if kind == "user" else (SKU_FIELDS, is_sku)
    look = (("HLEN", key), ("HMGET", key, *names))
    return Unit(kind, key, look, lambda replies: [key] if is_ours(*replies) else [])


def _cart(keys: Keyspace, key: str) -> Unit:
    user_key = keys.user(key.removeprefix(keys.cart("")))

    def others(replies: Sequence[Reply]) -> Mapping[str, Sequence[str]]:
        length, (cursor, flat) = replies
        lines = pairs(flat)
        if cursor != b"0" or not 0 < len(lines) == length or not all(map(is_line, lines.items())):
            return {key: ()}  # the cart itself is none of ours
        return {user_key: USER_FIELDS} | {keys.sku(sku_id.decode()): SKU_FIELDS for sku_id in lines}

    look = (("HLEN", key), ("HSCAN", key, "0", "COUNT", MAX_LINES))
    return Unit("cart", key, look, lambda replies: [] if replies[-1] else [key], others=others)


def not_ours(endpoint: Endpoint, wanted: Mapping[str, Sequence[str]]) -> set[str]:
    """Return which of these keys are no records of ours with just these fields.

    Redis: HLEN and HMGET of each, 1,000 keys a round trip.
    """
    found: set[str] = {key for key, fields in wanted.items() if not fields}
    for portion in portions(key for key, fields in wanted.items() if fields):
        asked = Together(endpoint)
        for key in portion:
            asked.at(key).hlen(key)
            asked.at(key).hmget(key, wanted[key])
        replies = asked.send(raise_on_error=False)
        for key, length, values in zip(portion, replies[::2], replies[1::2], strict=True):
            errors = [reply for reply in (length, values) if isinstance(reply, Exception)]
            without_errors([error for error in errors if not isinstance(error, WrongKeyError)])
            is_ours = is_user if wanted[key] is USER_FIELDS else is_sku
            if errors or not is_ours(length, values):  # no hash, or other fields
                found.add(key)
    return found
