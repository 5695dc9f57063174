"""Refuses the header of an array with 10 million elements or more, before hiredis makes room for all of them.

`*2147483647` takes hiredis no memory, for the system only lends it, but eleven seconds to give that back. hiredis has
no limit of its own, and a header can't be told from a value that looks like one without parsing. So whatever may be
such a header gets a type byte that no protocol has: where hiredis expects an element it says that this is none; within
a value it does not look, and the byte is put back when the reply is complete.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

Reply = Any

_MASK = 0
_TYPES = b"*~>|\0"  # what hiredis makes a list of; and the mask, so that each mask in a value has its byte
_KINDS = [bytes((kind,)) for kind in _TYPES]
_FEW = 64  # single bytes are found fast, and in numbers there are few; but an expression is faster where there are many
_LINES = re.compile(rb"(?:\n|\A)[*~>|\0](?=[0-9])")
_SIZE = re.compile(rb"[0-9]{8,20}\r")
_BEGINNING = re.compile(rb"[*~>|\0][0-9]{0,20}\Z")
_BEGINNING_BYTES = 22  # with the end of the line before it
_LINE_END = ord("\n")
_MASKED = re.compile(rb"(?<![^\n])\0(?=[0-9]{8,20}(?:\r|\Z))")


class HugeArrays:
    """Masks headers in what comes on one connection, and puts back what was none.

    Attributes:
        masked: The bytes that were replaced and not put back yet, in order.
        seen: How many headers there were, of any size, and values that look like one.
    """

    def __init__(self) -> None:
        self._follows_line = True  # whether what comes next begins a line
        self.masked: deque[int] = deque()
        self.seen = 0

    def mask(self, buffer: bytearray, size: int) -> int:
        """Mask headers in the first bytes of a buffer; return how many of these may go on to the parser.

        The others, at the end, may be the beginning of a header: call it again with them and what comes behind.
        """
        for place in _places(buffer, size):
            if not self._begins_line(buffer, place):
                continue
            self.seen += 1
            if _SIZE.match(buffer, place + 1, size):
                self.masked.append(buffer[place])
                buffer[place] = _MASK
        going = size
        line = buffer.rfind(b"\n", max(0, size - _BEGINNING_BYTES), size) + 1
        if (line or size < _BEGINNING_BYTES) and self._begins_line(buffer, line):
            going = line if _BEGINNING.match(buffer, line, size) else size
        if going:
            self._follows_line = buffer[going - 1] == _LINE_END
        return going

    def put_back(self, reply: Reply) -> Reply:
        """Return a reply with the bytes that were masked in its values."""
        if isinstance(reply, list):
            return [self.put_back(part) for part in reply]
        if isinstance(reply, bytes):
            return _MASKED.sub(lambda _: bytes((self.masked.popleft(),)) if self.masked else b"\0", reply)
        return reply

    def _begins_line(self, buffer: bytearray, place: int) -> bool:
        return buffer[place - 1] == _LINE_END if place else self._follows_line


def _places(buffer: bytearray, size: int) -> list[int]:
    """Return the places, in order, of bytes that may be the type of a header."""
    found: list[int] = []
    find = buffer.find
    for kind in _KINDS:
        place = find(kind, 0, size)
        while place >= 0:
            if len(found) == _FEW:
                return [match.end() - 1 for match in _LINES.finditer(buffer, 0, size)]
            found.append(place)
            place = find(kind, place + 1, size)
    found.sort()
    return found
