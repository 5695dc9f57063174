"""Removes everything this product wrote under its namespace, and nothing else.

A key is ours when its whole name is one that `Keyspace` builds and what it holds has our form: under no namespace at
all, `user:1` may well be somebody else's. A list goes with its state, since a list without one is not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from shared.endpoint.client import Endpoint
from shared.endpoint.pipelined import Command, run_pipelined
from shared.errors import WrongKeyError
from shared.keys import ID_PATTERN, Keyspace
from shared.run_signal import SegmentState

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
        ConnectionLostError: The connection is lost; purge again.

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
    typed = run_pipelined(endpoint, (("TYPE", key) for key in portion))
    right_type = [str(command[1]) for command, kind in typed if kind == _TYPES[keys.kind_of(str(command[1])) or ""]]
    hashes = [key for key in right_type if _TYPES[keys.kind_of(key) or ""] == b"hash"]
    unlinked = set(right_type) - set(hashes)
    for command, reply in run_pipelined(endpoint, (("HGETALL", key) for key in hashes)):
        key = str(command[1])
        fields = dict(zip(reply[::2], reply[1::2], strict=True))
        if _has_our_form(keys.kind_of(key) or "", key, fields):
            unlinked.add(key)
            if keys.kind_of(key) == "state" and fields[b"count"] != b"0":  # else the list there is somebody else's
                unlinked.add(keys.segment_of_state(key))
    commands: list[Command] = [("UNLINK", key) for key in sorted(unlinked)]
    return sum(int(reply) for _command, reply in run_pipelined(endpoint, commands))


def _has_our_form(kind: str, key: str, fields: dict[bytes, bytes]) -> bool:
    """Tell whether a hash holds what this product writes into a key of its name."""
    if kind == "cart":
        return all(
            re.fullmatch(ID_PATTERN.encode(), sku_id) and quantity.isdigit() for sku_id, quantity in fields.items()
        )
    if kind == "state":
        try:
            return SegmentState.decode(key, [fields.get(name.encode()) for name in SegmentState.FIELDS]) is not None
        except WrongKeyError:
            return False
    return all(name in fields for name in _FIELDS.get(kind, ()))


def _portions(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(keys)
    while portion := list(islice(iterator, size)):
        yield portion
