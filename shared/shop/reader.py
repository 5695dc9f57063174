"""Reads carts, which both programs show.

A cart and its SKUs are in different slots of a cluster, so no transaction can read them together: a price may change
between the two round trips.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.scanning import HASH_COUNT, hash_pages
from shared.endpoint.together import Together, ask_each
from shared.keys import ID_PATTERN, Keyspace
from shared.shop.records import Cart, Sku, decode_cart_line
from shared.text import natural_order, stored_text

Fields = dict[bytes, bytes]
SCAN_COUNT = 100
MOST_LINES = 1_000  # that `read_cart` returns


def read_carts(endpoint: Endpoint, keys: Keyspace, user_ids: Iterable[str], *, most_lines: int) -> list[Cart]:
    """Return carts in the order of the ids given, their lines in natural order of the SKU ids.

    Of a cart with more than `most_lines` only so many, whichever come first; it costs no more, however large it is.

    Redis: HLEN and HSCAN COUNT 100 for each cart, and HGETALL for each SKU in them, both pipelined; O(lines read). One
    that was larger before takes HSCAN COUNT 1000 to its end.
    """
    user_ids = list(user_ids)
    found = _some_lines(endpoint, [keys.cart(user_id) for user_id in user_ids], most_lines)
    return _carts(endpoint, keys, {user_id: found.get(keys.cart(user_id), ({}, 0)) for user_id in user_ids})


def read_cart(endpoint: Endpoint, keys: Keyspace, user_id: str, *, passed: Callable[[int], None]) -> Cart:
    """Return one cart; of more than 1,000 lines the first ones in natural order, in memory for some thousands.

    A total of all lines was rejected: each takes a look at its SKU, which made a minute of a million lines.
    `passed` is called after each round trip of a larger cart with the number of lines that it passed over.

    Redis: HLEN with HSCAN COUNT 1000, which goes on through a larger cart; O(lines). HGETALL for each SKU shown.
    """
    key = keys.cart(user_id)
    asked = Together(endpoint)
    asked.at(key).hlen(key)
    asked.at(key).hscan(key, 0, count=HASH_COUNT)
    length, (cursor, fields) = asked.send()
    passed(len(fields))
    for page in hash_pages(endpoint.at(key), key, cursor=cursor) if cursor else ():
        passed(len(page))
        fields |= page
        if len(fields) > 10 * MOST_LINES:
            fields = _first(fields, MOST_LINES)
    first = _first(fields, MOST_LINES)
    return _carts(endpoint, keys, {user_id: (first, max(0, length - len(first)))})[0]


def _some_lines(endpoint: Endpoint, cart_keys: list[str], most: int) -> dict[str, tuple[Fields, int]]:
    """Return at most so many fields of each cart, and how many more it has."""
    asked = Together(endpoint)
    for key in cart_keys:
        asked.at(key).hlen(key)
        asked.at(key).hscan(key, 0, count=SCAN_COUNT)
    replies = asked.send()
    found: dict[str, tuple[Fields, int]] = {}
    for key, length, (_, fields) in zip(cart_keys, replies[::2], replies[1::2], strict=True):
        first = _first(fields, most)
        found[key] = (first, max(0, length - len(first)))
    cut_short = [key for key, (fields, left_out) in found.items() if left_out and len(fields) + left_out <= most]
    # a hash that was larger before: the part that was scanned did not hold the few it has
    return found | {key: (_first(_all_lines(endpoint, key), most), 0) for key in cut_short}


def _all_lines(endpoint: Endpoint, key: str) -> Fields:
    """Return the few lines of a hash that was larger before; by pages, for which HSCAN is permission enough."""
    lines: Fields = {}
    for page in hash_pages(endpoint.at(key), key):
        lines |= page
    return lines


def read_hashes(endpoint: Endpoint, keys: Iterable[str], *, skip_wrong_type: bool = False) -> dict[str, Fields]:
    """Return all fields of those keys that exist; keys of other types are skipped or raise WrongKeyError.

    Redis: HGETALL for each, pipelined.
    """
    replies = ask_each(endpoint, keys, lambda pipeline, key: pipeline.hgetall(key), skip_wrong_type=skip_wrong_type)
    return {key: fields for key, fields in replies if fields}


def _first(fields: Fields, most: int) -> Fields:
    """Return at most so many fields, the first ones in natural order."""
    return {name: fields[name] for name in nsmallest(most, fields, key=lambda name: natural_order(stored_text(name)))}


def _carts(endpoint: Endpoint, keys: Keyspace, found: Mapping[str, tuple[Fields, int]]) -> list[Cart]:
    """Return carts with the names and prices of their SKUs, from fields and how many lines were left out, by user."""
    sku_ids = {stored_text(name) for fields, _ in found.values() for name in fields}
    # a field that is no id, or a key that is no hash, is no SKU of ours
    sku_keys = {keys.sku(sku_id): sku_id for sku_id in sku_ids if re.fullmatch(ID_PATTERN, sku_id)}
    sku_fields = read_hashes(endpoint, sku_keys, skip_wrong_type=True)
    skus = {sku_keys[key]: Sku.decode(sku_keys[key], fields) for key, fields in sku_fields.items()}
    return [_cart(user_id, fields, left_out, skus) for user_id, (fields, left_out) in found.items()]


def _cart(user_id: str, fields: Fields, left_out: int, skus: dict[str, Sku]) -> Cart:
    quantities = {stored_text(name): quantity for name, quantity in fields.items()}
    ordered = sorted(quantities, key=natural_order)
    lines = tuple(decode_cart_line(sku_id, quantities[sku_id], skus.get(sku_id)) for sku_id in ordered)
    return Cart(user_id, lines, left_out)
