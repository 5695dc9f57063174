"""A verdict's line on a terminal: a tick or a cross before it, in green or red; elsewhere the line as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

import click

from shared.program.screen import has_colours
from shared.verdict import FAILED, SUPERSEDED, VERIFIED

# in colour; the second sign is for encodings that lack the first
_SIGNS = {VERIFIED: ("✓", "[ok]", "green"), FAILED: ("✗", "[x]", "red"), SUPERSEDED: ("-", "-", "yellow")}


def marked(line: str, marks: Mapping[str, str], stream: TextIO) -> str:
    """Return a line with the sign of the verdict that `marks` gives it, if the stream is a terminal."""
    if line not in marks or marks[line] not in _SIGNS or not stream.isatty():
        return line
    sign, plain_sign, colour = _SIGNS[marks[line]]
    text = f"{sign if _can_show(sign, stream) else plain_sign} {line}"
    return click.style(text, fg=colour, bold=True) if has_colours(stream) else text


def _can_show(sign: str, stream: TextIO) -> bool:
    try:
        sign.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
