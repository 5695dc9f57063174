"""Which records of the shop are ours: users and SKUs with exactly our fields, and the carts that hold nothing else.

A cart has no field names of its own, so it is proven by the records that it belongs to. One whose user or SKU is gone
can't be proven, and stays. Carts are therefore removed before users and SKUs.
"""

from __future__ import annotations

from collections.abc import Sequence

from server_a.purge.proofs import Unit, pairs
from shared.endpoint.batch_connection import Reply
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together, portions
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.shop.ours import SKU_FIELDS, USER_FIELDS, is_line, is_sku, is_user

MAX_LINES = 10_000  # a cart with more is not looked through, and stays


def shop_unit(endpoint: Endpoint, keys: Keyspace, kind: str, key: str) -> Unit:
    """Return the unit of a user, a SKU or a cart; a cart's proof asks for its user and SKUs."""
    if kind == "cart":
        return _cart(endpoint, keys, key)
    names, is_ours = (USER_FIELDS, is_user) if kind == "user" else (SKU_FIELDS, is_sku)
    look = (("HLEN", key), ("HMGET", key, *names))
    return Unit(kind, key, look, lambda replies: [key] if is_ours(*replies) else [])


def _cart(endpoint: Endpoint, keys: Keyspace, key: str) -> Unit:
    user_key = keys.user(key.removeprefix(keys.cart("")))

    def proven(replies: Sequence[Reply]) -> list[str]:
        length, (cursor, flat) = replies
        lines = pairs(flat)
        if cursor != b"0" or not 0 < len(lines) == length or not all(map(is_line, lines.items())):
            return []
        skus = [keys.sku(sku_id.decode()) for sku_id in lines]
        return [key] if _are_ours(endpoint, [user_key], skus) else []

    look = (("HLEN", key), ("HSCAN", key, "0", "COUNT", MAX_LINES))
    return Unit("cart", key, look, proven)


def _are_ours(endpoint: Endpoint, users: Sequence[str], skus: Sequence[str]) -> bool:
    asked_for = dict.fromkeys(users, USER_FIELDS) | dict.fromkeys(skus, SKU_FIELDS)
    for portion in portions(asked_for):
        asked = Together(endpoint)
        for key in portion:
            asked.at(key).hlen(key)
            asked.at(key).hmget(key, asked_for[key])
        try:
            replies = asked.send()
        except WrongKeyError:  # no hash
            return False
        found = zip(portion, replies[::2], replies[1::2], strict=True)
        if not all((is_user if key in users else is_sku)(length, values) for key, length, values in found):
            return False
    return True
