"""What the reply to each command looks like, and how long it may be: the one place where replies are not believed.

A server that answers otherwise is broken, or no Redis server at all. redis-py takes some strange replies as they are,
and fails on others with whatever Python raises; here each is a `StrangeReplyError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shared.endpoint import reply_shapes as shapes
from shared.endpoint.bounded_parser import FEW_BYTES, Reply
from shared.endpoint.reply_shapes import Shape
from shared.endpoint.strange_replies import StrangeReplyError

Callback = Callable[..., Any]

STRANGE = (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError)  # what strange replies lead to
SOME_BYTES = 16 * 1024 * 1024  # of fields that are asked for by name; a thousand verdicts have a tenth of it
MANY_BYTES = 64 * 1024 * 1024  # of fields and names, a thousand of them or a hash of our own
FIELD_BYTES = 2 * 1024 * 1024  # of one that is named; the digests of a state's blocks have 1.6 MB at most
MOST_BYTES = 1024 * 1024 * 1024  # of what others may have put into a stream; a value has at most half of it
KEPT_BYTES = 2 * 1024 * 1024  # of a name or value in an entry: more than a page of small entries may have

_COUNTS = "DBSIZE DEL EVAL EXISTS EXPIRE HDEL HLEN HSET HSETNX LLEN LPUSH LPUSHX PERSIST PEXPIRE UNLINK WAIT XACK XDEL"
_STATUSES = "PING RENAME SELECT SET TYPE UNWATCH WATCH"
_GROUPS = partial(shapes.is_facts, texts=[b"name"], ids=[b"last-delivered-id"], numbers=[b"consumers", b"pending"])
_CONSUMERS = partial(shapes.is_facts, texts=[b"name"], ids=[], numbers=[b"pending", b"idle"])
_OF_ENTRIES = ("XRANGE", "XREVRANGE")  # what is read by XREADGROUP may become a dead letter, which tells its size
_REPLIES: dict[str, tuple[Shape, int]] = {
    **dict.fromkeys([*_COUNTS.split(), "XLEN", "XTRIM"], (shapes.is_number, FEW_BYTES)),
    **dict.fromkeys(_STATUSES.split(), (shapes.is_text_or_nil, FEW_BYTES)),
    **dict.fromkeys(["GET", "HGET"], (shapes.is_text_or_nil, MANY_BYTES)),
    **dict.fromkeys(_OF_ENTRIES, (shapes.is_entries, MOST_BYTES)),
    "XCLAIM": (shapes.is_pending_entries, MOST_BYTES),
    **dict.fromkeys(["XREAD", "XREADGROUP"], (shapes.is_streams, MOST_BYTES)),
    "CLUSTER SLOTS": (shapes.is_list, MANY_BYTES),
    "CONFIG GET": (shapes.is_pairs, FEW_BYTES),
    "HGETALL": (shapes.is_pairs, MOST_BYTES),
    "HSCAN": (shapes.is_page_of_pairs, MANY_BYTES),
    "HMGET": (shapes.is_texts_or_nils, SOME_BYTES),
    "INFO": (shapes.is_text, FEW_BYTES),
    "LRANGE": (shapes.is_texts, MANY_BYTES),
    "SCAN": (shapes.is_page, MANY_BYTES),
    "SENTINEL MASTERS": (lambda reply: shapes.is_list(reply, shapes.is_group), FEW_BYTES),
    "TIME": (shapes.is_time, FEW_BYTES),
    "XADD": (shapes.is_entry_id, FEW_BYTES),
    "XAUTOCLAIM": (shapes.is_claimed, MOST_BYTES),
    "XINFO CONSUMERS": (_CONSUMERS, MANY_BYTES),
    "XINFO GROUPS": (_GROUPS, MANY_BYTES),
    "XPENDING": (shapes.is_pending, MANY_BYTES),
}


def checked(callbacks: Mapping[str, Callback]) -> dict[str, Callback]:
    """Return redis-py's callbacks for the commands that have a shape here, each behind a look at the reply."""
    return {name: _behind_look(name, callbacks.get(name)) for name in _REPLIES}


def _behind_look(name: str, callback: Callback | None) -> Callback:
    has_shape = _REPLIES[name][0]

    def look(reply: Reply, **options: Any) -> Reply:
        if not has_shape(reply):
            raise strange(name)
        if name in _OF_ENTRIES:
            cut_entries(reply)
        return reply if callback is None else callback(reply, **options)

    return look


def cut_entries(entries: list[Any]) -> None:
    """Cut names and values in entries that are longer than any of ours.

    Several replies of a pipeline may hold an entry of 100 MB each, and all are kept until the last one is read.
    """
    for _, fields in entries:
        if fields and max(map(len, fields)) > KEPT_BYTES:
            fields[:] = [each if len(each) <= KEPT_BYTES else each[:KEPT_BYTES] for each in fields]


def strange(command: str) -> StrangeReplyError:
    """Return the error for a reply of another shape."""
    return StrangeReplyError(f"a reply to {command} of another shape")


def require_asked(command: Sequence[Any], reply: Reply) -> Reply:
    """Return a reply; StrangeReplyError if it has not as many parts as were asked for."""
    if command and command[0] == "HMGET" and isinstance(reply, list) and len(reply) != len(command) - 2:
        raise strange("HMGET")
    return reply


def require_shape(command: Sequence[Any], reply: Reply) -> Reply:
    """Return a reply as it came; StrangeReplyError if it is not what the command's documentation says."""
    if command[0] in _REPLIES and not _REPLIES[command[0]][0](reply):
        raise strange(command[0])
    if command[0] in _OF_ENTRIES:
        cut_entries(reply)
    return require_asked(command, reply)


def most_bytes_of(command: str) -> int:
    """Return how long the reply to a command may be."""
    return _REPLIES[command][1] if command in _REPLIES else FEW_BYTES


def most_bytes_asked(command: Sequence[Any]) -> int:
    """Return how long the reply to this very command may be: of a hash of others it may name few fields."""
    if command[0] == "HMGET":
        return min(MANY_BYTES, FIELD_BYTES * max(1, len(command) - 2))
    return most_bytes_of(str(command[0]))
