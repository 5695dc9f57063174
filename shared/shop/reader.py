"""Reads users, SKUs and carts; both programs show them.

A cart and its SKUs lie in different slots of a cluster, so a cart is read in two round trips and never in one
transaction: between the two a price may change. What is shown is a cart at some moment and prices at a later one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.keys import ID_PATTERN, Keyspace
from shared.shop.records import Cart, Sku, User, decode_cart_line
from shared.text import natural_order, stored_text

Fields = dict[bytes, bytes]


def read_user(endpoint: Endpoint, keys: Keyspace, user_id: str) -> User | None:
    """Return a user, or None when there is none of that id.

    Raises:
        TransientError: The connection is lost.
        WrongEndpointError: The key holds something else than a hash.

    Redis:
        HGETALL; O(fields).
    """
    fields = _read_hash(endpoint, keys.user(user_id))
    return User.decode(user_id, fields) if fields else None


def read_sku(endpoint: Endpoint, keys: Keyspace, sku_id: str) -> Sku | None:
    """Return a SKU, or None when there is none of that id.

    Raises:
        TransientError: The connection is lost.
        WrongEndpointError: The key holds something else than a hash.

    Redis:
        HGETALL; O(fields).
    """
    fields = _read_hash(endpoint, keys.sku(sku_id))
    return Sku.decode(sku_id, fields) if fields else None


def read_cart(endpoint: Endpoint, keys: Keyspace, user_id: str) -> Cart:
    """Return the cart of a user, without lines when there is none; see `read_carts`."""
    return read_carts(endpoint, keys, [user_id])[0]


def read_carts(endpoint: Endpoint, keys: Keyspace, user_ids: Iterable[str]) -> list[Cart]:
    """Return carts in the order of the ids given, their lines in natural order of the SKU ids.

    Args:
        endpoint: Where to read.
        keys: The namespace.
        user_ids: Different from each other; each cart is held in memory.

    Raises:
        TransientError: The connection is lost; reading again is safe.
        WrongEndpointError: A cart's key holds something else than a hash.

    Redis:
        HGETALL for each cart and then for each SKU in them, both pipelined; O(lines).
    """
    user_ids = list(user_ids)
    cart_fields = read_hashes(endpoint, [keys.cart(user_id) for user_id in user_ids])
    sku_ids = {stored_text(name) for fields in cart_fields.values() for name in fields}
    skus = _read_skus(endpoint, keys, sku_ids)
    return [_cart(user_id, cart_fields.get(keys.cart(user_id), {}), skus) for user_id in user_ids]


def read_hashes(endpoint: Endpoint, keys: Iterable[str], *, skip_wrong_type: bool = False) -> dict[str, Fields]:
    """Return the fields of those keys that exist.

    Args:
        endpoint: Where to read.
        keys: Of hashes; all their fields are held in memory.
        skip_wrong_type: Leave out keys of other types instead of raising.

    Raises:
        TransientError: The connection is lost; reading again is safe.
        WrongEndpointError: A key holds something else than a hash.

    Redis:
        HGETALL for each, pipelined.
    """
    replies = ask_each(endpoint, keys, lambda pipeline, key: pipeline.hgetall(key), skip_wrong_type=skip_wrong_type)
    return {key: fields for key, fields in replies if fields}


def _read_skus(endpoint: Endpoint, keys: Keyspace, sku_ids: Iterable[str]) -> dict[str, Sku]:
    """Return those SKUs that exist; a field that is no id, or a key that is no hash, is no SKU of ours."""
    keys_of = {keys.sku(sku_id): sku_id for sku_id in sku_ids if re.fullmatch(ID_PATTERN, sku_id)}
    found = read_hashes(endpoint, keys_of, skip_wrong_type=True)
    return {keys_of[key]: Sku.decode(keys_of[key], fields) for key, fields in found.items()}


def _cart(user_id: str, fields: Fields, skus: dict[str, Sku]) -> Cart:
    quantities = {stored_text(name): quantity for name, quantity in fields.items()}
    ordered = sorted(quantities, key=natural_order)
    return Cart(user_id, tuple(decode_cart_line(sku_id, quantities[sku_id], skus.get(sku_id)) for sku_id in ordered))


def _read_hash(endpoint: Endpoint, key: str) -> Fields:
    return cast("Fields", endpoint.at(key).hgetall(key))
