"""The order people expect of ids: `sku2` before `sku10`.

A sort by text was rejected because every list of generated users would begin 1, 10, 100, 1000.
"""

from __future__ import annotations

import re
from typing import Any


def natural_order(text: str) -> tuple[Any, ...]:
    """Return a key to sort by, in which runs of ASCII digits count as numbers, however long they are.

    Texts and numbers alternate, so any two keys can be compared; the text itself comes last and orders `1` and `01`.
    """
    parts = re.split(r"([0-9]+)", text)
    return [_number_order(part) if index % 2 else part for index, part in enumerate(parts)], text


def _number_order(digits: str) -> tuple[int, str]:
    # int() refuses more than 4,300 digits, and a database may hold anything
    significant = digits.lstrip("0")
    return len(significant), significant
