"""Ids of a stream's entries: milliseconds and a sequence, each an unsigned number of 64 bits. Pure."""

from __future__ import annotations

import re

MOST_OF_A_PART = 2**64 - 1
_ENTRY_ID = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})")


def is_entry_id(raw: bytes) -> bool:
    """Tell whether it is the whole id of an entry, which a server would take for one, too."""
    found = _ENTRY_ID.fullmatch(raw)
    return found is not None and max(int(found[1]), int(found[2])) <= MOST_OF_A_PART


def order_of(entry_id: str) -> tuple[int, int]:
    """Return a key to sort entry ids by; texts would sort otherwise. An id without a sequence has 0."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
