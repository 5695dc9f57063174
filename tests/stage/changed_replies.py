"""Replies that are true but for one part, which has another type or is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hiredis import Reader

Reply = Any
_IN_PLACE_OF_TEXT: tuple[Reply, ...] = (7, None, [], [b"a"])
_IN_PLACE_OF_NUMBER: tuple[Reply, ...] = (b"x", -1, None, [7])
_IN_PLACE_OF_LIST: tuple[Reply, ...] = (b"x", 7, None, [])


def changed_replies(raw: bytes) -> list[bytes]:
    """Return all replies that differ from one in a single part; none of an error."""
    reader = Reader()
    reader.feed(raw)
    reply = reader.gets()
    return [] if isinstance(reply, Exception) else [packed(other) for other in _changes(reply)]


def _changes(reply: Reply) -> Iterator[Reply]:
    """Yield a reply with each of its parts changed in turn, itself first."""
    if not isinstance(reply, list):
        others = {bytes: _IN_PLACE_OF_TEXT, int: _IN_PLACE_OF_NUMBER}.get(type(reply), (b"x", 7, [], [None]))
        yield from others
        return
    yield from _IN_PLACE_OF_LIST
    if reply:
        yield reply[:-1]
        yield [*reply, reply[-1]]
        yield [*reply, 7]
    for place, part in enumerate(reply):
        for other in _changes(part):
            yield [*reply[:place], other, *reply[place + 1 :]]


def packed(reply: Reply) -> bytes:
    """Return a reply as a server sends it."""
    match reply:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(packed, reply))
    return b"-%b\r\n" % str(reply).encode()
