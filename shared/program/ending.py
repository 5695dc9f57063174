"""How a program ends: the exit code of its outcome, one sentence for an error, and streams that may have gone.

A reader of our output that goes away (`| head`) ends a command that only shows something, with 0. It does not end one
whose exit code is a verdict: that goes on without a reader, as `print_outcome` has it.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import click

from shared.errors import HandoverError, NotFinishedError, TransientError

_INTERRUPTED = 130
# click quotes as it pleases: all up to the last @ goes, and where there is none, as in a quotation cut short, the rest
_LOGIN_OF_CLICK = r"://(?:.*(?=@)|[^\s'\")]*)"
_LOGIN_OF_OURS = r"://[^\s'\"]*:[^\s'\"]*(?=@|['\"]…)"  # not a user alone, as in the command that resumes a run


def run_program(group: click.Group, program: str) -> None:
    """Run a command line and end the process with the exit code that its outcome has.

    A command returns its exit code, or None for 0. An error is one sentence on stderr, never a traceback.
    """
    _prepare_streams()
    try:
        code = group.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except HandoverError as error:
        final = error.lasting() if isinstance(error, TransientError) else error  # nobody is left to try again
        _complain(f"{program}: {_without_login(str(final), _LOGIN_OF_OURS)}")
        code = final.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        _complain(error.format_message())
        code = error.exit_code
    except click.ClickException as error:
        _complain(f"{program}: {_without_login(error.format_message(), _LOGIN_OF_CLICK)}{_usage_advice(error)}")
        code = error.exit_code
    except click.Abort:
        _complain(f"{program}: interrupted")
        code = _INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # who read our output has gone, as in `| head`, for which alone click exits by itself, with 1
        _silence_stdout()
        code = 0
    except OSError as error:
        _silence_stdout()
        where = error.filename or "output"
        _complain(f"{program}: {where}: expected room for what is written, got {error.strerror or error}")
        code = NotFinishedError.exit_code
    sys.exit(code)


def print_outcome(text: str) -> None:
    """Print what a job has come to, whose exit code counts whether or not anybody reads on."""
    try:
        click.echo(text)
    except BrokenPipeError:
        _silence_stdout()


def _prepare_streams() -> None:
    """Have all three streams, and none that fails for a character that its encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us, as by `>&-`
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open for as long as the process lives
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Lead stdout nowhere, so that neither what is still printed nor the flush at exit fails."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    with suppress(OSError):
        click.echo(text, err=True)


def _without_login(text: str, login: str) -> str:
    """Return a text that quotes what was typed without user and password, where a URL was typed in a wrong place."""
    return re.sub(login, "://...", text, flags=re.DOTALL)


def _usage_advice(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""
