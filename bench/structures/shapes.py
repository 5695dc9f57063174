"""How each structure is written and read in reverse: plain commands, 1,000 values a batch. Pure.

Each structure gets the best form it has: positions that the writer knows serve as scores, stream ids, fields and names,
so every chunk can be asked for before the one ahead of it has come. Stream ids made by the server (`*`) were rejected:
their reader has to wait for each chunk to know where the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Command = tuple[str | bytes | int, ...]

BATCH_VALUES = 1_000
KEY = "biglist"
_FIELD = b"v"


@dataclass(frozen=True)
class Structure:
    """One way to keep a list of values in Redis.

    Attributes:
        name: The structure and the commands that write and read it.
        order_by: What keeps the order of insertion.
        write: From key, position of the first value (from 1) and values: the commands that add them.
        read: From key, length of the whole list and two ranks, counted from 0 at the newest value: the command that
            reads from the first rank up to but not including the second.
        values: From the reply to `read`: the values, newest first; None where nothing is.
        keys: From key and length: all keys of Redis the values are in.
    """

    name: str
    order_by: str
    write: Callable[[str, int, Sequence[bytes]], list[Command]]
    read: Callable[[str, int, int, int], Command]
    values: Callable[[Any], list[bytes | None]]
    keys: Callable[[str, int], Iterator[str]]


def write_commands(structure: Structure, key: str, values: Sequence[bytes]) -> Iterator[list[Command]]:
    """Yield the commands that write all values, a batch at a time."""
    for start in range(0, len(values), BATCH_VALUES):
        yield structure.write(key, start + 1, values[start : start + BATCH_VALUES])


def read_commands(structure: Structure, key: str, count: int) -> Iterator[Command]:
    """Yield the commands that read all values in reverse, a chunk each."""
    for start in range(0, count, BATCH_VALUES):
        yield structure.read(key, count, start, min(start + BATCH_VALUES, count))


def _positions(count: int, start: int, stop: int) -> range:
    """Return the positions, from 1 at the oldest value, of a range of ranks, from 0 at the newest."""
    return range(count - start, count - stop, -1)


def _paired(first: int, values: Sequence[bytes]) -> Iterator[bytes | int]:
    for position, value in enumerate(values, first):
        yield position
        yield value


def _named(key: str, first: int, values: Sequence[bytes]) -> Iterator[str | bytes]:
    for position, value in enumerate(values, first):
        yield f"{key}:{position}"
        yield value


def _stream_range(key: str, count: int, start: int, stop: int) -> Command:
    return ("XREVRANGE", key, count - start, count - stop + 1, "COUNT", stop - start)


def _one_key(key: str, _count: int) -> Iterator[str]:
    yield key


LIST = Structure(
    name="list: LPUSH, LRANGE from the head",
    order_by="place",
    write=lambda key, _first, values: [("LPUSH", key, *values)],
    read=lambda key, _count, start, stop: ("LRANGE", key, start, stop - 1),
    values=list,
    keys=_one_key,
)

STRUCTURES = (
    LIST,
    Structure(
        name="list: RPUSH, LRANGE from the tail",
        order_by="place",
        write=lambda key, _first, values: [("RPUSH", key, *values)],
        read=lambda key, _count, start, stop: ("LRANGE", key, -stop, -start - 1),
        values=lambda reply: list(reversed(reply)),
        keys=_one_key,
    ),
    Structure(
        name="sorted set: ZADD, ZRANGE REV",
        order_by="score",
        write=lambda key, first, values: [("ZADD", key, *_paired(first, values))],
        read=lambda key, _count, start, stop: ("ZRANGE", key, start, stop - 1, "REV"),
        values=list,
        keys=_one_key,
    ),
    Structure(
        name="stream: XADD, XREVRANGE",
        order_by="id",
        write=lambda key, first, values: [
            ("XADD", key, f"{position}-0", _FIELD, value) for position, value in enumerate(values, first)
        ],
        read=_stream_range,
        values=lambda reply: [fields[1] for _id, fields in reply],
        keys=_one_key,
    ),
    Structure(
        name="hash: HSET, HMGET",
        order_by="field",
        write=lambda key, first, values: [("HSET", key, *_paired(first, values))],
        read=lambda key, count, start, stop: ("HMGET", key, *_positions(count, start, stop)),
        values=list,
        keys=_one_key,
    ),
    Structure(
        name="one key a value: MSET, MGET",
        order_by="name",
        write=lambda key, first, values: [("MSET", *_named(key, first, values))],
        read=lambda key, count, start, stop: ("MGET", *(f"{key}:{n}" for n in _positions(count, start, stop))),
        values=list,
        keys=lambda key, count: (f"{key}:{position}" for position in range(1, count + 1)),
    ),
)
