"""Texts that control a terminal, forge lines or change the direction of text, and what of them came through."""

from __future__ import annotations

from unicodedata import category

_SEQUENCES = [
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]52;c;cm0gLXJmIH4=\x07",
    "\x1b]52;c;cm0gLXJmIH4=\x1b\\",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1bc",
    "\x1b[6n",
    "\x1b[?1049h",
    "\x9b2J",
    "\x9d52;c;eA==\x9c",
    "a\rb",
    "a\r\nb",
    "a\nWrong: forged",
    "\x0b\x0c",
    "\x08\x08\x08",
    "\x00",
    "\x7f",
    "\x0e\x0f",
    "\u2028forged",
    "\u2029forged",
    "\x85forged",
    "abc\u202efdp.exe",
]
_SINGLE = [chr(code) for code in range(1, 32)] + [chr(code) for code in range(0x80, 0xA0)]
_FORMATS = [f"a{chr(code)}b" for code in (0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F))]
_FORMATS += [f"a{chr(code)}b" for code in (*range(0x2060, 0x2070), 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB, 0xE0001, 0xE0041)]
HOSTILE_TEXTS = [*_SEQUENCES, *_SINGLE, *_FORMATS]
HOSTILE_NAMES = [text for text in HOSTILE_TEXTS if "\0" not in text]  # as arguments of a program may be
_JOINERS = "\u200c\u200d"


def unsafe_characters(text: str) -> set[str]:
    """Return the characters of printed lines that a terminal would act on, but for the ends of the lines."""
    return {
        character
        for character in text
        if category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\n" + _JOINERS
    }
