"""Removes everything this product wrote under its namespace, and nothing else.

A key is ours when its whole name is one that `Keyspace` builds and what it holds has our form: under no namespace at
all, `user:1` may well be somebody else's. A list goes with its state, since a list without one is not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.errors import WrongKeyError
from shared.keys import ID_PATTERN, Keyspace
from shared.state import SegmentState

_PORTION = 1_000
_TYPES = {
    "user": b"hash",
    "sku": b"hash",
    "cart": b"hash",
    "state": b"hash",
    "run": b"hash",
    "result": b"hash",
    "staging": b"list",
    "signals": b"stream",
    "dead_letters": b"stream",
    "canary": b"hash",
}
_FIELDS = {
    "user": (b"first_name", b"last_name"),
    "sku": (b"name", b"price"),
    "run": (b"schema_version", b"run_id"),
    "canary": (b"sent",),
}


def purge(endpoint: Endpoint, keys: Keyspace) -> int:
    """Remove our keys and return how many there were.

    Raises:
        TransientError: The connection is lost; purge again.

    Redis:
        SCAN of the whole database; for each key of ours TYPE, HGETALL of a hash, and UNLINK, pipelined.
    """
    removed = 0
    for pattern in keys.patterns():
        found = (key.decode("utf-8", "surrogateescape") for key in endpoint.scan(pattern))
        for portion in _portions((key for key in found if keys.kind_of(key) in _TYPES), _PORTION):
            removed += _purge_portion(endpoint, keys, portion)
    return removed


def _purge_portion(endpoint: Endpoint, keys: Keyspace, portion: list[str]) -> int:
    typed = ask_each(endpoint, portion, lambda pipeline, key: pipeline.type(key))
    right_type = [key for key, kind in typed if kind == _TYPES[keys.kind_of(key) or ""]]
    hashes = [key for key in right_type if _TYPES[keys.kind_of(key) or ""] == b"hash"]
    states = [key for key in hashes if keys.kind_of(key) == "state"]
    unlinked = set(right_type) - set(hashes)
    for key, values in ask_each(endpoint, states, lambda pipeline, key: pipeline.hmget(key, list(SegmentState.FIELDS))):
        state = _state_of(key, values)
        if state is not None:
            unlinked.add(key)
            if state.count:  # else the list there is somebody else's
                unlinked.add(keys.segment_of_state(key))
    others = [key for key in hashes if key not in states]
    for key, fields in ask_each(endpoint, others, lambda pipeline, key: pipeline.hgetall(key)):
        if _has_our_form(keys.kind_of(key) or "", fields):
            unlinked.add(key)
    removed = ask_each(endpoint, sorted(unlinked), lambda pipeline, key: pipeline.unlink(key))
    return sum(int(reply) for _key, reply in removed)


def _state_of(key: str, values: list[bytes | None]) -> SegmentState | None:
    try:
        return SegmentState.decode(key, values)
    except WrongKeyError:
        return None


def _has_our_form(kind: str, fields: dict[bytes, bytes]) -> bool:
    """Tell whether a hash holds what this product writes into a key of its name."""
    if kind == "cart":
        return all(
            re.fullmatch(ID_PATTERN.encode(), sku_id) and quantity.isdigit() for sku_id, quantity in fields.items()
        )
    return all(name in fields for name in _FIELDS.get(kind, ()))


def _portions(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(keys)
    while portion := list(islice(iterator, size)):
        yield portion
