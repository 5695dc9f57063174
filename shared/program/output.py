"""All that the programs print passes through here and is escaped, whoever wrote it.

Names, reasons, versions, group names and typed arguments may hold what controls a terminal. Each caller escaping what
it prints was rejected: one that forgets is not seen. A test forbids `click.echo` and `sys.stdout` elsewhere; logs and
what `screen` draws, which write escape sequences of their own, are the exceptions and escape what they are given.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TextIO

import click

from shared.program.marks import marked
from shared.program.screen import screen
from shared.text import shown_text, stored_text


def say(text: str, marks: Mapping[str, str] | None = None) -> None:
    """Print a text on stdout; it may have several lines, each made by `joined_lines` from what others wrote.

    The lines that `marks` names get the sign of their verdict on a terminal.
    """
    screen.clear()
    click.echo(_escaped(text, marks or {}, sys.stdout))


def json_text(found: Mapping[str, object]) -> str:
    """Return an object as JSON in ASCII on one line."""
    return json.dumps(found).replace("\x7f", "\\u007f")  # the one control character that json leaves as it is


def can_redraw() -> bool:
    """Tell whether stdout is a terminal on which a text can take another one's place."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def redraw(text: str, marks: Mapping[str, str]) -> None:
    """Print a text on stdout from the top of the terminal, in place of what stood there, as far as there is room."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    lines, left = [], max(2, rows or 24) - 1
    for line in _escaped(text, marks, sys.stdout).split("\n"):
        left -= 1 + max(0, len(line) - 1) // (columns or 80)
        if left < 0:
            break
        lines.append(f"{line}\x1b[K\n")
    click.echo(f"\x1b[H{''.join(lines)}\x1b[J", nl=False)


def say_outcome(text: str, marks: Mapping[str, str] | None = None) -> None:
    """Print the outcome of a command, as `say` does, whose exit code counts whether or not anybody reads on."""
    try:
        say(text, marks)
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Redirect stdout to nowhere, so that neither later prints nor the flush at exit fail."""
    with suppress(OSError):  # no descriptor is left to open it with
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_values(chunks: Iterable[list[bytes]]) -> None:
    """Print values, one a line: byte for byte, but on a terminal as escaped text."""
    output = sys.stdout.buffer
    is_terminal = sys.stdout.isatty()
    for values in chunks:
        shown = [shown_text(stored_text(value)).encode("utf-8") for value in values] if is_terminal else values
        output.write(b"\n".join(shown) + b"\n")
    output.flush()


def say_document(text: str) -> None:
    """Print a whole file on stdout as UTF-8, as it is; whoever made it has escaped what others wrote."""
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def tell(text: str, verdict: str = "") -> None:
    """Print a text on stderr, if anybody can read it there; with the sign of a verdict if it is one, on a terminal."""
    screen.clear()
    with suppress(OSError):
        click.echo(_escaped(text, {text: verdict}, sys.stderr), err=True)


def ask(question: str) -> bool:
    """Ask on the terminal, and return whether the answer was yes."""
    return click.confirm(shown_text(question))


def _escaped(text: str, marks: Mapping[str, str], stream: TextIO) -> str:
    escaped = {shown_text(line): verdict for line, verdict in marks.items()}
    return "\n".join(marked(shown_text(line), escaped, stream) for line in text.split("\n"))
