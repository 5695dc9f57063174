"""Reads carts, which both programs show.

A cart and its SKUs are in different slots of a cluster, so no transaction can read them together: a price may change
between the two round trips.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import TYPE_CHECKING

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.scanning import ask_page, hash_pages
from shared.endpoint.small_replies import ask_small
from shared.endpoint.together import Together, portions
from shared.keys import ID_PATTERN, Keyspace
from shared.shop.ours import SKU_FIELDS, Held, long_is_foreign, questions
from shared.shop.records import Cart, Sku, decode_cart_line
from shared.text import natural_order, stored_text

if TYPE_CHECKING:
    from shared.endpoint.node_client import Command

Fields = dict[bytes, bytes]
MAX_CARTS = 10
MAX_CART_LINES = 10
SCAN_COUNT = 100
MOST_LINES = 1_000  # that `read_cart` returns
MOST_RECORD_BYTES = 16 * 1024  # eight times what two names of ours have
MOST_PAGE_BYTES = 1024 * 1024


def read_carts(endpoint: Endpoint, keys: Keyspace, user_ids: Iterable[str], *, most_lines: int) -> list[Cart]:
    """Return carts in the order of the ids given, their lines in natural order of the SKU ids.

    Of a cart with more than `most_lines` only so many, whichever come first; it costs no more, however large it is.

    Redis: HLEN and HSCAN COUNT 100 for each cart, and HMGET for each SKU in them, both pipelined; O(lines read). One
    that was larger before takes HSCAN COUNT 1000 to its end.
    """
    user_ids = list(user_ids)
    found = _some_lines(endpoint, [keys.cart(user_id) for user_id in user_ids], most_lines)
    return _carts(endpoint, keys, {user_id: found.get(keys.cart(user_id), ({}, 0)) for user_id in user_ids})


def first_carts(endpoint: Endpoint, keys: Keyspace, carts: int) -> list[Cart]:
    """Return what a report shows of a run with so many carts: ten of them, and ten lines of each; see `read_carts`."""
    user_ids = [str(number) for number in range(1, min(carts, MAX_CARTS) + 1)]
    return read_carts(endpoint, keys, user_ids, most_lines=MAX_CART_LINES) if user_ids else []


def read_cart(endpoint: Endpoint, keys: Keyspace, user_id: str, *, passed: Callable[[int], None]) -> Cart:
    """Return one cart; of more than 1,000 lines the first ones in natural order, in memory for some thousands.

    A total of all lines was rejected: each takes a look at its SKU, which made a minute of a million lines.
    `passed` is called after each round trip of a larger cart with the number of lines that it passed over.

    Redis: HLEN with HSCAN COUNT 1000, which goes on through a larger cart; O(lines). HMGET for each SKU shown.
    """
    key = keys.cart(user_id)
    with long_is_foreign(key):
        asked = Together(endpoint)
        asked.at(key).hlen(key)
        ask_page(asked.at(key), key)
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
    asked: list[Command] = [
        command for key in cart_keys for command in (("HLEN", key), ("HSCAN", key, 0, "COUNT", SCAN_COUNT))
    ]
    replies = ask_small(endpoint, asked, most_bytes=MOST_PAGE_BYTES, skip_wrong_type=False)
    found: dict[str, tuple[Fields, int]] = {}
    for key, length, page in zip(cart_keys, replies[::2], replies[1::2], strict=True):
        if page is None:  # values of somebody else's
            continue
        fields = dict(zip(page[1][::2], page[1][1::2], strict=True))
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


def read_fields(endpoint: Endpoint, keys: Iterable[str], names: Sequence[str]) -> Iterator[tuple[str, Fields]]:
    """Yield each key with those of the named fields that it holds, none where that is nothing of ours.

    So it is where they are longer than ours ever are, and where the key has another type.

    Redis: HMGET for each, 1,000 a round trip.
    """
    for portion in portions(keys):
        asked = [("HMGET", key, *names) for key in portion]
        replies = ask_small(endpoint, asked, most_bytes=MOST_RECORD_BYTES)
        for key, values in zip(portion, replies, strict=True):
            found = zip(names, values or (), strict=False)
            yield key, {name.encode(): value for name, value in found if value is not None}


def read_held(endpoint: Endpoint, keys: Iterable[str], names: Sequence[str]) -> Iterator[tuple[str, Held]]:
    """Yield each key of a user or SKU with what it holds, nothing where that is too long or no hash.

    Redis: HLEN and HMGET for each, 1,000 of them a round trip.
    """
    for portion in portions(keys):
        asked = [command for key in portion for command in questions(key, names)]
        replies = ask_small(endpoint, asked, most_bytes=MOST_RECORD_BYTES)
        for key, length, values in zip(portion, replies[::2], replies[1::2], strict=True):
            yield key, Held(0, ()) if length is None or values is None else Held(length, values)


def _first(fields: Fields, most: int) -> Fields:
    """Return at most so many fields, the first ones in natural order."""
    return {name: fields[name] for name in nsmallest(most, fields, key=lambda name: natural_order(stored_text(name)))}


def _carts(endpoint: Endpoint, keys: Keyspace, found: Mapping[str, tuple[Fields, int]]) -> list[Cart]:
    """Return carts with the names and prices of their SKUs, from fields and how many lines were left out, by user."""
    sku_ids = {stored_text(name) for fields, _ in found.values() for name in fields}
    # a field that is no id, or a key that is no hash, is no SKU of ours
    sku_keys = {keys.sku(sku_id): sku_id for sku_id in sku_ids if re.fullmatch(ID_PATTERN, sku_id)}
    sku_fields = read_fields(endpoint, sku_keys, SKU_FIELDS)
    skus = {sku_keys[key]: Sku.decode(sku_keys[key], fields) for key, fields in sku_fields if fields}
    return [_cart(user_id, fields, left_out, skus) for user_id, (fields, left_out) in found.items()]


def _cart(user_id: str, fields: Fields, left_out: int, skus: dict[str, Sku]) -> Cart:
    quantities = {stored_text(name): quantity for name, quantity in fields.items()}
    ordered = sorted(quantities, key=natural_order)
    lines = tuple(decode_cart_line(sku_id, quantities[sku_id], skus.get(sku_id)) for sku_id in ordered)
    return Cart(user_id, lines, left_out)
