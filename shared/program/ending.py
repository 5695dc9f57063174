"""How a program ends: exit codes, one sentence for an error, and closed streams.

When the reader of our output goes away (`| head`), a command that only shows something ends with 0. A command whose
exit code is a verdict prints with `say_outcome` and goes on without a reader.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path

import click

from shared.errors import HandoverError, TransientError, VerificationFailedError
from shared.program.output import silence_stdout, tell
from shared.program.secrets import typed_logins, without_logins
from shared.program.unexpected import unexpected
from shared.starting import interrupt_on_sigint
from shared.text import shown_text
from shared.verdict import FAILED

_INTERRUPTED = 130


def run_program(group: click.Group, program: str) -> None:
    """Run a command line and end the process with the command's exit code, or 0 for None.

    An error is one sentence on stderr, never a traceback, but for a fault of ours with `--log-level debug`.
    """
    interrupt_on_sigint()
    _prepare_streams()
    complaint, is_of_click, verdict = "", False, ""
    try:
        code = group.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except HandoverError as error:
        final = error.lasting() if isinstance(error, TransientError) else error  # nobody is left to try again
        complaint, code = str(final), final.exit_code
        verdict = FAILED if isinstance(error, VerificationFailedError) else ""
    except click.exceptions.NoArgsIsHelpError as error:
        tell(error.format_message())
        code = error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        advice = f" (see {context.command_path} --help)" if context is not None else ""
        complaint, is_of_click, code = error.format_message() + advice, True, error.exit_code
    except click.Abort as error:
        complaint, code = "interrupted", _INTERRUPTED
        if isinstance(error.__cause__, EOFError):  # click takes any for an answer that nobody gave
            complaint, code = unexpected(error.__cause__, program)
    except (BrokenPipeError, SystemExit):
        # nobody reads our output any more; only then does click itself exit, with 1
        silence_stdout()
        code = 0
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody is helped by a traceback they did not ask for
        silence_stdout()
        complaint, code = unexpected(error, program)
    if complaint:
        typed = typed_logins(sys.argv[1:], os.environ)
        sentence = without_logins(complaint, typed, is_of_click=is_of_click)
        tell(shown_text(f"{program}: {sentence}"), verdict)  # one line, whatever is quoted
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
