"""What may be done on the terminal: colours, marks, and the one line at its bottom that is drawn again and again.

One object for the process, as its terminal is one: whoever prints must take the drawn line away first, or its text
would stand behind half a bar. Handing it through every layer to whoever counts or logs was rejected.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

_DEFAULT_COLUMNS = 80
_ERASE = "\r\x1b[K"


class Screen:
    """The terminal behind stderr, if there is one.

    Attributes:
        is_left_alone: Nothing is drawn, as with `--quiet`, or where the log is to be JSON lines and nothing else.
    """

    def __init__(self) -> None:
        self.is_left_alone = False
        self._drawn = ""

    @property
    def draws(self) -> bool:
        """Whether a line can be drawn again and again."""
        return not self.is_left_alone and sys.stderr.isatty() and not _is_dumb()

    @property
    def is_all(self) -> bool:
        """Whether results and log stand on terminals and are read together, so that neither need repeat the other."""
        return not self.is_left_alone and sys.stdout.isatty() and sys.stderr.isatty()

    @property
    def columns(self) -> int:
        """How many columns the terminal has now; people change that while a program runs."""
        try:
            return os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_COLUMNS
        except (OSError, ValueError):
            return _DEFAULT_COLUMNS

    def draw(self, text: str) -> None:
        """Show a text as the last line, in place of the one that was drawn before."""
        if text != self._drawn:
            self._write(f"{_ERASE}{text}")
            self._drawn = text

    def keep(self) -> None:
        """Let the drawn line stand, and go on below it."""
        if self._drawn:
            self._write("\n")
            self._drawn = ""

    def clear(self) -> None:
        """Take the drawn line away, before something else is written; it comes back when it is drawn again."""
        if self._drawn:
            self._write(_ERASE)
            self._drawn = ""

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def has_colours(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal whose user wants colours.

    Source: https://no-color.org: NO_COLOR, present and not empty, prevents them.
    """
    return stream.isatty() and not _is_dumb() and not os.environ.get("NO_COLOR")


def _is_dumb() -> bool:
    return os.environ.get("TERM") == "dumb"


screen = Screen()
