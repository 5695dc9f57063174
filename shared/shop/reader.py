"""Reads carts, which both programs show.

A cart and its SKUs are in different slots of a cluster, so no transaction can read them together: a price may change
between the two round trips.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.keys import ID_PATTERN, Keyspace
from shared.shop.records import Cart, Sku, decode_cart_line
from shared.text import natural_order, stored_text

Fields = dict[bytes, bytes]


def read_carts(endpoint: Endpoint, keys: Keyspace, user_ids: Iterable[str]) -> list[Cart]:
    """Return carts in the order of the ids given, their lines in natural order of the SKU ids.

    Redis: HGETALL for each cart and then for each SKU in them, both pipelined; O(lines).
    """
    user_ids = list(user_ids)
    cart_fields = read_hashes(endpoint, [keys.cart(user_id) for user_id in user_ids])
    sku_ids = {stored_text(name) for fields in cart_fields.values() for name in fields}
    # a field that is no id, or a key that is no hash, is no SKU of ours
    sku_keys = {keys.sku(sku_id): sku_id for sku_id in sku_ids if re.fullmatch(ID_PATTERN, sku_id)}
    sku_fields = read_hashes(endpoint, sku_keys, skip_wrong_type=True)
    skus = {sku_keys[key]: Sku.decode(sku_keys[key], fields) for key, fields in sku_fields.items()}
    return [_cart(user_id, cart_fields.get(keys.cart(user_id), {}), skus) for user_id in user_ids]


def read_hashes(endpoint: Endpoint, keys: Iterable[str], *, skip_wrong_type: bool = False) -> dict[str, Fields]:
    """Return all fields of those keys that exist; keys of other types are skipped or raise WrongKeyError.

    Redis: HGETALL for each, pipelined.
    """
    replies = ask_each(endpoint, keys, lambda pipeline, key: pipeline.hgetall(key), skip_wrong_type=skip_wrong_type)
    return {key: fields for key, fields in replies if fields}


def _cart(user_id: str, fields: Fields, skus: dict[str, Sku]) -> Cart:
    quantities = {stored_text(name): quantity for name, quantity in fields.items()}
    ordered = sorted(quantities, key=natural_order)
    return Cart(user_id, tuple(decode_cart_line(sku_id, quantities[sku_id], skus.get(sku_id)) for sku_id in ordered))
