"""Whole programs inside the test's own process: their command lines, exit codes and sentences, a hundred a second."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

import structlog

from shared.program.ending import run_program
from tests.stage.command_tree import GROUPS
from tests.stage.programs import Finished, Name

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_inside(name: Name, *arguments: str) -> Finished:
    """Run a program to its end here; only its process's start and end are left out."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    structlog.reset_defaults()
    code = 0
    try:
        with (
            redirect_stdout(out),
            redirect_stderr(err),
            patch.object(sys, "argv", [name, *arguments]),
            patch("gc.freeze"),
            patch("shared.program.ending.silence_stdout"),
            patch.dict(os.environ, {"COLUMNS": "200"}),
        ):
            run_program(GROUPS[name], name)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for stream in (out, err):
        stream.flush()
    return Finished(code, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> bytes:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()
