"""Removes everything this product wrote under its namespace, and nothing else.

A key is ours when `Keyspace` builds its name and its value has our form: without a namespace, `user:1` may well belong
to another program. A list is removed together with its state, because a list without a state is not ours.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import islice

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import PORTION_KEYS, ask_each
from shared.errors import WrongKeyError
from shared.keys import ID_PATTERN, Keyspace
from shared.state import SegmentState

_TYPES = dict.fromkeys(("user", "sku", "cart", "state", "run", "result", "canary"), b"hash") | {
    "staging": b"list",
    "signals": b"stream",
    "dead_letters": b"stream",
}
_FIELDS = {
    "user": (b"first_name", b"last_name"),
    "sku": (b"name", b"price"),
    "run": (b"schema_version", b"run_id"),
    "canary": (b"sent",),
}


def purge(endpoint: Endpoint, keys: Keyspace) -> int:
    """Remove our keys and return how many there were; after a lost connection, purge again.

    Redis: SCAN of the whole database; for each key of ours TYPE, HGETALL of a hash, and UNLINK, pipelined.
    """
    removed = 0
    for pattern in keys.patterns():
        found = (key.decode("utf-8", "surrogateescape") for key in endpoint.scan(pattern))
        ours = (key for key in found if keys.kind_of(key) in _TYPES)
        while portion := list(islice(ours, PORTION_KEYS)):
            removed += _purge_portion(endpoint, keys, portion)
    return removed


def _purge_portion(endpoint: Endpoint, keys: Keyspace, portion: list[str]) -> int:
    kinds = {key: keys.kind_of(key) or "" for key in portion}
    types = ask_each(endpoint, portion, lambda pipeline, key: pipeline.type(key))
    right_type = [key for key, found in types if found == _TYPES[kinds[key]]]
    states = [key for key in right_type if kinds[key] == "state"]
    others = [key for key in right_type if _TYPES[kinds[key]] == b"hash" and kinds[key] != "state"]
    unlinked = set(right_type) - {*states, *others}
    for key, values in ask_each(endpoint, states, lambda pipeline, key: pipeline.hmget(key, SegmentState.FIELDS)):
        with suppress(WrongKeyError):  # a hash that was not written by this product
            if (state := SegmentState.decode(key, values)) is not None:
                unlinked |= {key, keys.segment_of_state(key)} if state.count else {key}
    for key, fields in ask_each(endpoint, others, lambda pipeline, key: pipeline.hgetall(key)):
        if _has_our_form(kinds[key], fields):
            unlinked.add(key)
    removed = ask_each(endpoint, sorted(unlinked), lambda pipeline, key: pipeline.unlink(key))
    return sum(int(reply) for _key, reply in removed)


def _has_our_form(kind: str, fields: dict[bytes, bytes]) -> bool:
    if kind == "cart":
        sku_id = re.compile(ID_PATTERN.encode())
        return all(sku_id.fullmatch(name) and quantity.isdigit() for name, quantity in fields.items())
    return all(name in fields for name in _FIELDS.get(kind, ()))
