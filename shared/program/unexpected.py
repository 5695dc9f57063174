"""Errors that are not ours: what the system refuses, and faults of this product."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from shared.endpoint.passwords import without_sent
from shared.errors import NotFinishedError
from shared.program.output import tell
from shared.program.secrets import typed_logins, without_logins

FAULT = 70
_ROOT = Path(__file__).parents[2]
_PACKAGES = ("shared", "server_a", "server_b")
_NO_FILES = (errno.EMFILE, errno.ENFILE)
_REPORT = "a fault of {}; report it where you got it from, with what {} --log-level debug prints"


def unexpected(error: Exception, program: str) -> tuple[str, int]:
    """Return the sentence and the exit code for an error that no code has foreseen.

    The sentence names kind and place, not the error's own text, which may hold anything; with `--log-level debug` the
    traceback is printed before it, without logins.
    """
    if wants_traceback(program, sys.argv[1:], os.environ):
        shown = "".join(traceback.format_exception(error)).rstrip()
        tell(without_logins(without_sent(shown), typed_logins(sys.argv[1:], os.environ), is_of_click=False))
    if isinstance(error, MemoryError):
        return "memory: expected enough of it on this host, got none", NotFinishedError.exit_code
    if isinstance(error, OSError) and error.errno in _NO_FILES:
        expected = "room for the files and connections that are needed (ulimit -n)"
        return f"open files: expected {expected}, got {error.strerror}", NotFinishedError.exit_code
    if isinstance(error, OSError):
        got = error.strerror or type(error).__name__
        return f"{error.filename or 'output'}: expected room for what is written, got {got}", NotFinishedError.exit_code
    sentence = f"{_place(error)}: expected no such error, got {type(error).__name__}"
    return f"{sentence}: {_REPORT.format(program, program)}", FAULT


def wants_traceback(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether `--log-level debug` was given; the error may come before the options are read."""
    given = [after for before, after in pairwise(arguments) if before == "--log-level"]
    given += [word.removeprefix("--log-level=") for word in arguments if word.startswith("--log-level=")]
    variable = f"{program}-log-level".replace("-", "_").upper()
    return (given or [environment.get(variable, "")])[-1].lower() == "debug"


def _place(error: Exception) -> str:
    """Return where in our own code an error came up."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [(file.relative_to(_ROOT), line) for file, line in frames if file.is_relative_to(_ROOT)]
    places = [f"{file} line {line}" for file, line in ours if file.parts[0] in _PACKAGES]
    return places[-1] if places else "outside of our code"
