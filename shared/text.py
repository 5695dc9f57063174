"""Texts that others stored, made safe to show, and the order that people expect of ids.

What comes from Redis may hold characters that control a terminal or change the direction of text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any
from unicodedata import category

SHOWN_BYTES = 200  # of a value in records, reports and terminals
_SHOWN_CHARACTERS = 60
_Utf8Decoder = codecs.getincrementaldecoder("utf-8")
CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
# embeddings, overrides and isolates: each may make the rest of a line read backwards
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NO_PASSWORD = re.compile(
    r"[A-Za-z]{0,12}(-[A-Za-z]{1,12})?"
    r"|[+-]?[\d.,_]{0,24}([A-Za-z]{1,2}|[eE][+-]?\d{1,3})?"
    r"|[0-9]{8}T[0-9]{0,12}Z?(-[0-9a-f]{0,8})?"
)
_JOINERS = "\u200c\u200d"  # parts of words and of emoji: the format characters that are shown as they are


def stored_text(raw: bytes) -> str:
    r"""Return stored bytes as text; what is not UTF-8 appears as `\xff`."""
    return raw.decode("utf-8", "backslashreplace")


def cut_text(raw: bytes, most: int = SHOWN_BYTES) -> str:
    """Return stored bytes as text, as `stored_text` does; of long ones the first bytes, and how many there are."""
    is_whole = len(raw) <= most
    text = _Utf8Decoder("backslashreplace").decode(raw[:most], final=is_whole)  # drops half a character
    return text if is_whole else f"{text}… ({len(raw):,} bytes)"


def shortened(text: str, most: int = SHOWN_BYTES) -> str:
    """Return a text as `cut_text` does with its bytes."""
    return text if len(text) * 4 <= most else cut_text(text.encode("utf-8", "backslashreplace"), most)


def shown_text(text: str) -> str:
    r"""Return a text safe for a terminal as one line; controls and format characters are spelled as `\x1b`."""
    if text.isprintable():
        return text
    unsafe = filter(_is_unsafe, set(text))
    return text.translate({ord(character): character.encode("unicode_escape").decode() for character in unsafe})


def joined_lines(lines: Iterable[str]) -> str:
    """Return lines as one text; none of them can hold, or become, more than one line."""
    return "\n".join(map(shown_text, lines))


def quoted_text(text: str) -> str:
    """Return the first 60 characters of a text in quotes for a message, escaped where they can't be printed."""
    shown = ascii(text[:_SHOWN_CHARACTERS]) if not text.isprintable() else repr(text[:_SHOWN_CHARACTERS])
    return shown + ("…" if len(text) > _SHOWN_CHARACTERS else "")


def spellings(text: str) -> set[str]:
    """Return how a text may stand in a message: as it is, escaped, and as Python spells it or its bytes."""
    raw = text.encode("utf-8", "surrogateescape")
    return {text, shown_text(text), *(spelled[1:-1] for spelled in (repr(text), ascii(text))), repr(raw)[2:-1]}


def can_be_shown(typed: str) -> bool:
    """Tell whether what somebody typed in a wrong place is no password: a short word, a number, the start of a run id.

    A password of letters alone, or of digits alone, can't be told from them.
    """
    return _NO_PASSWORD.fullmatch(typed) is not None


def typed_text(text: str) -> str:
    """Return what was typed in quotes for a message, unless it may be a password."""
    return repr(text) if can_be_shown(text) else "a text (not shown, it may be a password)"


def is_control(character: str) -> bool:
    """Tell whether a character controls a terminal, breaks a line or changes the direction of text."""
    return category(character) in CONTROL_CATEGORIES or character in _BIDI_CONTROLS


def _is_unsafe(character: str) -> bool:
    return is_control(character) or (category(character) == "Cf" and character not in _JOINERS)


def natural_order(text: str) -> tuple[Any, ...]:
    """Return a sort key in which ASCII digits count as numbers of any length; the text itself orders `1` and `01`."""
    parts = re.split(r"([0-9]+)", text)
    significant = [part.lstrip("0") for part in parts]
    # compared by length and digits, because int() refuses more than 4,300 digits
    return [(len(significant[i]), significant[i]) if i % 2 else part for i, part in enumerate(parts)], text
