"""About how many bytes Redis and Valkey need for what we write, from how they encode it. Pure.

A list is a chain of nodes of at most 8 KiB, each a listpack; in these an integer takes 2 to 10 bytes, any other text
its length and 2 or more. Small hashes are listpacks, too. What both servers' MEMORY USAGE says differs from this by
2 % for lists, and for the other, small keys by a fifth (tests/server_a/run/test_written.py).

Source: `listpack.c`, `quicklist.c` and `t_hash.c` of Redis 7.0, `list-max-listpack-size -2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

# up to which integer a listpack needs how many bytes, and from which on one more decimal digit
_INTEGERS = [(127, 2), (4_095, 3), (32_767, 4), (8_388_607, 5), (2**31 - 1, 6), (2**63 - 1, 10)]
_DIGITS = [(10**digits - 1, digits) for digits in range(1, 19)]
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")

_NODE_BYTES = 8_192
_NODE_OVERHEAD_BYTES = 50  # its struct, the listpack's ends, the allocator
_LARGE_ROUNDING = 1.12  # by which jemalloc rounds up the node of one large value, in the mean
_KEY_OVERHEAD_BYTES = {"valkey": 66}  # entry of the key space, object, string header
_OTHER_KEY_OVERHEAD_BYTES = 92  # of Redis, which does not embed keys and values
_LIST_OVERHEAD_BYTES = 60
_LISTPACK_LIMIT_BYTES = 64  # a longer value makes a hash one of single strings
_LISTPACK_LIMIT_FIELDS = 512
_FIELD_OVERHEAD_BYTES = 52  # an entry of such a hash and its two strings
_STREAM_OVERHEAD_BYTES = 500
_STREAM_NODE_BYTES = 4_200
_ENTRY_OVERHEAD_BYTES = 12  # id and flags of an entry
MIN_ELEMENT_BYTES = 2
MAX_ELEMENT_OVERHEAD_BYTES = 10  # beside the text, for one of up to 1 MiB


def element_bytes(text: bytes) -> int:
    """Return the bytes of one element in a listpack, exactly."""
    if len(text) <= 20 and _INTEGER.fullmatch(text) and abs(int(text)) < 2**63:
        number = int(text)
        if number < 0:
            number = max(128, -number - 1)  # negative ones have no form of one byte
        return next(size for last, size in _INTEGERS if number <= last)
    header = 1 if len(text) < 64 else 2 if len(text) < 4_096 else 5
    size = header + len(text)
    return size + next(back for back, limit in enumerate((128, 2**14, 2**21, 2**28, 2**35), start=1) if size < limit)


def numbers_bytes(first: int, last: int) -> int:
    """Return the bytes of the numbers `first` to `last`, both positive, in listpacks, exactly."""
    return _sum(_INTEGERS, first, last)


def sent_bytes(first: int, last: int) -> int:
    """Return the bytes of these numbers as the protocol sends them: `$2`, the digits, and the ends of both lines."""
    return _sum([(end, digits + len(f"${digits}") + 4) for end, digits in _DIGITS], first, last)


@dataclass(frozen=True)
class Sizes:
    """The bytes of keys at a kind of server."""

    server: str  # as HELLO says it: `redis` or `valkey`

    def list_bytes(self, key: str, elements_bytes: int, *, count: int) -> int:
        """Return the bytes of a list whose elements take so many; a node holds no part of an element."""
        mean = elements_bytes / max(1, count)
        if mean > _NODE_BYTES / 2:
            nodes, filled = count, elements_bytes * _LARGE_ROUNDING
        else:
            nodes = -(-elements_bytes // _NODE_BYTES)
            filled = elements_bytes * (_NODE_BYTES / (_NODE_BYTES - mean / 2) if nodes > 1 else 1.0)
        return self._key_bytes(key) + _LIST_OVERHEAD_BYTES + round(filled) + nodes * _NODE_OVERHEAD_BYTES

    def hash_bytes(self, key: str, fields: Mapping[str, str | bytes | int]) -> int:
        """Return the bytes of a hash."""
        pairs = [(name.encode(), _encoded(value)) for name, value in fields.items()]
        size = self._key_bytes(key)
        if len(pairs) <= _LISTPACK_LIMIT_FIELDS and all(len(value) <= _LISTPACK_LIMIT_BYTES for _, value in pairs):
            return size + sum(element_bytes(text) for pair in pairs for text in pair)
        return size + sum(_FIELD_OVERHEAD_BYTES + len(name) + len(value) for name, value in pairs)

    def stream_bytes(self, key: str, entry: Mapping[str, str], *, count: int) -> int:
        """Return the bytes of a stream of `count` entries like this one, whose fields have the same names."""
        size = _ENTRY_OVERHEAD_BYTES + sum(element_bytes(text.encode()) for text in entry.values())
        nodes = max(1, -(-count * size // _STREAM_NODE_BYTES))
        return self._key_bytes(key) + _STREAM_OVERHEAD_BYTES + nodes * _STREAM_NODE_BYTES

    def _key_bytes(self, key: str) -> int:
        return _KEY_OVERHEAD_BYTES.get(self.server, _OTHER_KEY_OVERHEAD_BYTES) + len(key)


def _encoded(value: str | bytes | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _sum(sizes: list[tuple[int, int]], first: int, last: int) -> int:
    """Return the sum of the sizes of `first` to `last`, given as the last number that has each size."""
    parts = pairwise([(0, 0), *sizes])
    return sum(max(0, min(last, end) - max(first, begin + 1) + 1) * size for (begin, _), (end, size) in parts)
