"""Texts: those that others have stored, fit to be shown, and the order people expect of ids.

Whatever comes out of Redis may hold characters that control a terminal or turn a line round.
"""

from __future__ import annotations

import re
from typing import Any
from unicodedata import category

_SHOWN_CHARACTERS = 60
CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
# embeddings, overrides and isolates: one of them makes the rest of a line read backwards
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def stored_text(raw: bytes) -> str:
    r"""Return stored bytes as text; what is not UTF-8 appears as `\xff`."""
    return raw.decode("utf-8", "backslashreplace")


def shown_text(text: str) -> str:
    r"""Return a text fit for a terminal, with characters that would control it spelled as `\x1b`."""
    return "".join(
        character.encode("unicode_escape").decode() if is_control(character) else character for character in text
    )


def quoted_text(text: str) -> str:
    """Return a text in quotes for a message: its first 60 characters, with whatever can't be printed escaped."""
    shown = ascii(text[:_SHOWN_CHARACTERS]) if not text.isprintable() else repr(text[:_SHOWN_CHARACTERS])
    return shown + ("…" if len(text) > _SHOWN_CHARACTERS else "")


def is_control(character: str) -> bool:
    """Tell whether a character controls a terminal, breaks a line or turns its text round."""
    return category(character) in CONTROL_CATEGORIES or character in _BIDI_CONTROLS


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
