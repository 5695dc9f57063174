"""How a program ends: exit codes, one sentence for an error, and closed streams.

When the reader of our output goes away (`| head`), a command that only shows something ends with 0. A command whose
exit code is a verdict prints with `say_outcome` and goes on without a reader.
"""

from __future__ import annotations

import gc
import io
import os
import re
import sys
from pathlib import Path

import click

from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.program.output import silence_stdout, tell
from shared.starting import interrupt_on_sigint
from shared.text import shown_text

_INTERRUPTED = 130
# click may cut a quotation short: remove everything up to the last @, or without one, to the end of the quotation
_LOGIN_OF_CLICK = r"://(?:.*(?=@)|[^\s'\")]*)"
_LOGIN_OF_OURS = r"://[^\s'\"]*:[^\s'\"]*(?=@|['\"]…)"  # a user without a password stays, for the command that resumes


def run_program(group: click.Group, program: str) -> None:
    """Run a command line and end the process with the command's exit code, or 0 for None.

    An error is one sentence on stderr, never a traceback.
    """
    interrupt_on_sigint()
    _prepare_streams()
    complaint = ""
    try:
        code = group.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except HandoverError as error:
        final = error.lasting() if isinstance(error, TransientError) else error  # nobody is left to try again
        complaint, code = _without_login(str(final), _LOGIN_OF_OURS), final.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        code = error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        advice = f" (see {context.command_path} --help)" if context is not None else ""
        complaint, code = _without_login(error.format_message(), _LOGIN_OF_CLICK) + advice, error.exit_code
    except click.Abort:
        complaint, code = "interrupted", _INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # nobody reads our output any more; only then does click itself exit, with 1
        silence_stdout()
        code = 0
    except OSError as error:
        silence_stdout()
        complaint = f"{error.filename or 'output'}: expected room for what is written, got {error.strerror or error}"
        code = NotFinishedError.exit_code
    if complaint:
        tell(shown_text(f"{program}: {complaint}"))  # one line, whatever is quoted
    gc.freeze()  # else Python searches all modules for garbage before it ends, which takes 25 ms with redis-py's
    sys.exit(code)


def _prepare_streams() -> None:
    """Open streams that our parent closed, as with `>&-`, and escape characters that an encoding lacks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open for as long as the process lives
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _without_login(text: str, login: str) -> str:
    """Remove user and password from a message that quotes a URL."""
    return re.sub(login, "://...", text, flags=re.DOTALL)
