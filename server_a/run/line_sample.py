"""How much larger lines are as elements of a list than in their file, from a sample of the file.

Encoding every line was rejected: it would take as long as the scan. Lines that are numbers take fewer bytes than they
have digits, so the lengths alone would call for up to twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.check.sizes import MIN_ELEMENT_BYTES, element_bytes

_PLACES = 64
_PLACE_BYTES = 4_096


def element_ratio(read: Callable[[int, int], bytes], file_bytes: int) -> float:
    """Return the bytes of a file's lines as elements of a list, each divided by its bytes in the file with its newline.

    Reads 64 places of 4 KiB, evenly spread, with `read`, which gets a size and a place.
    """
    raw = sized = 0
    step = max(_PLACE_BYTES, file_bytes // _PLACES)
    for start in range(0, file_bytes, step):
        lines = read(_PLACE_BYTES, start).split(b"\n")
        whole = lines[0 if start == 0 else 1 : -1]  # the first may have begun before, the last may go on
        if not whole:  # one long line, or the only one
            whole = [max(lines, key=len)]
        raw += sum(len(line) + 1 for line in whole)
        sized += sum(map(element_bytes, whole))
    return sized / raw if raw else float(MIN_ELEMENT_BYTES)
