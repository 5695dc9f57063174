"""What replies look like in RESP2, before redis-py's callbacks, as functions that tell whether one looks so. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeGuard

from shared import entry_ids

Shape = Callable[[object], bool]


def is_number(reply: object) -> bool:
    """Tell whether it is a number."""
    return type(reply) is int


def is_text(reply: object) -> bool:
    """Tell whether it is a text."""
    return type(reply) is bytes


def is_text_or_nil(reply: object) -> bool:
    """Tell whether it is a text or nothing."""
    return reply is None or type(reply) is bytes


def is_texts(reply: object) -> TypeGuard[list[bytes]]:
    """Tell whether it is a list of texts."""
    return is_list(reply, is_text)


def is_texts_or_nils(reply: object) -> bool:
    """Tell whether it is a list in which texts may be missing."""
    return is_list(reply, is_text_or_nil)


def is_pairs(reply: object) -> TypeGuard[list[bytes]]:
    """Tell whether it is a flat list of names and values."""
    return is_texts(reply) and len(reply) % 2 == 0


def is_list(reply: object, of: Shape | None = None) -> TypeGuard[list[object]]:
    """Tell whether it is a list, of elements that look so."""
    return type(reply) is list and (of is None or all(map(of, reply)))


def is_time(reply: object) -> bool:
    """Tell whether it is TIME's: seconds, of a year that a token can be made of, and microseconds."""
    match reply:
        case [bytes() as seconds, bytes() as rest]:
            return _is_decimal(seconds) and int(seconds) < 2**37 and _is_decimal(rest) and int(rest) < 1_000_000
    return False


def is_page(reply: object) -> bool:
    """Tell whether it is SCAN's: a cursor and keys."""
    match reply:
        case [bytes() as cursor, keys]:
            return _is_decimal(cursor) and is_texts(keys)
    return False


def is_page_of_pairs(reply: object) -> bool:
    """Tell whether it is HSCAN's: a cursor, and names and values."""
    return is_page(reply) and is_list(reply) and is_pairs(reply[1])


def is_entry_id(reply: object) -> bool:
    """Tell whether it is the id of a stream's entry."""
    return isinstance(reply, bytes) and entry_ids.is_entry_id(reply)


def is_entries(reply: object) -> bool:
    """Tell whether it is a list of entries."""
    return is_list(reply, _is_entry)


def is_pending_entries(reply: object) -> bool:
    """Tell whether it is a list of entries; of one that was trimmed only the id is left, before version 7 nothing."""
    return is_list(reply, lambda entry: entry is None or _is_trimmed(entry) or _is_entry(entry))


def is_streams(reply: object) -> bool:
    """Tell whether it is XREAD's: streams with their entries, or nothing in time."""
    return reply is None or is_list(reply, _is_stream)


def is_claimed(reply: object) -> bool:
    """Tell whether it is XAUTOCLAIM's: where to go on, entries, from version 7 the ids of those that were trimmed."""
    match reply:
        case [cursor, entries]:
            return is_entry_id(cursor) and is_pending_entries(entries)
        case [cursor, entries, trimmed]:
            return is_entry_id(cursor) and is_pending_entries(entries) and is_list(trimmed, is_entry_id)
    return False


def is_pending(reply: object) -> bool:
    """Tell whether it is XPENDING's with a range: id, consumer, milliseconds of silence and deliveries of each."""
    return is_list(reply, _is_pending_entry)


def is_group(reply: object) -> bool:
    """Tell whether it is a group of Sentinels: its name, and where they see its primary."""
    if not is_pairs(reply):
        return False
    found = dict(zip(reply[::2], reply[1::2], strict=True))
    port = found.get(b"port", b"")
    return {b"name", b"ip", b"flags"} <= found.keys() and _is_decimal(port) and 0 < int(port) < 65_536


def is_facts(reply: object, *, texts: Sequence[bytes], ids: Sequence[bytes], numbers: Sequence[bytes]) -> bool:
    """Tell whether it is XINFO's: a flat list of names and values for each thing, with at least these."""
    return is_list(reply, lambda each: _has_facts(each, texts, ids, numbers))


def _has_facts(reply: object, texts: Sequence[bytes], ids: Sequence[bytes], numbers: Sequence[bytes]) -> bool:
    if not (is_list(reply) and len(reply) % 2 == 0 and is_texts(reply[::2])):
        return False
    found = dict(zip(reply[::2], reply[1::2], strict=True))
    return (
        all(is_text(found.get(name)) for name in texts)
        and all(is_entry_id(found.get(name)) for name in ids)
        and all(is_number(found.get(name)) for name in numbers)
        and (found.get(b"lag") is None or is_number(found[b"lag"]))
    )


def _is_decimal(text: bytes) -> bool:
    return re.fullmatch(rb"[0-9]{1,20}", text) is not None


def _is_entry(reply: object) -> bool:
    match reply:
        case [entry_id, fields]:
            return is_entry_id(entry_id) and is_pairs(fields)
    return False


def _is_trimmed(reply: object) -> bool:
    match reply:
        case [entry_id, None]:
            return is_entry_id(entry_id)
    return False


def _is_stream(reply: object) -> bool:
    match reply:
        case [bytes(), entries]:
            return is_list(entries, lambda entry: _is_trimmed(entry) or _is_entry(entry))
    return False


def _is_pending_entry(reply: object) -> bool:
    match reply:
        case [entry_id, bytes(), idle_ms, deliveries]:
            return is_entry_id(entry_id) and is_number(idle_ms) and is_number(deliveries)
    return False
