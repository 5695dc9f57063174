"""The command line of server-b: reads options, builds settings, calls one function, prints its result."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from server_b.check_command import check_command
from server_b.settings import (
    DEFAULT_CLAIM_IDLE_MS,
    DEFAULT_MAX_DELIVERIES,
    DEFAULT_PRINT_VALUES,
    DEFAULT_SETTLE_S,
    MAX_PRINT_VALUES,
    ConsumerSettings,
)
from shared.errors import InvalidInputError
from shared.program.ending import main_group, print_outcome, run_program
from shared.program.options import CommonSettings, Seconds, WholeNumber, endpoint_options, json_option, option
from shared.segments import MAX_COUNT
from shared.status.command import status_command
from shared.tokens import is_token

PROGRAM = "server-b"

group = main_group(PROGRAM, "Take the signal, read the list in reverse, and verify that all of it arrived.")
for _command in (check_command, status_command(PROGRAM)):
    group.add_command(_command)


@group.command("run")
@endpoint_options(PROGRAM)
@option(PROGRAM, "--once", "is_once", is_flag=True, help="End at the first complete run, verified (0) or failed (65).")
@option(PROGRAM, "--run", "run_id", metavar="RUN_ID", default="", help="End at this run; means --once.")
@option(
    PROGRAM, "--wait-s", type=Seconds(), help="Seconds to wait for a signal before ending with 75.  [default: for ever]"
)
@option(PROGRAM, "--consumer", metavar="NAME", help="Our name in the consumer group.  [default: <host>-<pid>]")
@option(
    PROGRAM,
    "--claim-idle-ms",
    type=WholeNumber(100, 86_400_000),
    default=DEFAULT_CLAIM_IDLE_MS,
    help="Silence after which another consumer's entry is claimed.",
)
@option(
    PROGRAM,
    "--max-deliveries",
    type=WholeNumber(1, 1_000),
    default=DEFAULT_MAX_DELIVERIES,
    help="Deliveries after which an entry is given up.",
)
@option(PROGRAM, "--settle-s", type=Seconds(), default=DEFAULT_SETTLE_S, help="Seconds to wait for a signalled list.")
@option(
    PROGRAM,
    "--print-values",
    type=WholeNumber(0, MAX_PRINT_VALUES),
    default=DEFAULT_PRINT_VALUES,
    help="Values to show, in reverse.",
)
@option(PROGRAM, "--heartbeat-file", metavar="FILE", help="Touched about once a second while alive.")
@json_option(PROGRAM, "a run")
def run_command(common: CommonSettings, *, as_json: bool, consumer: str | None, **options: Any) -> None:
    """Wait for signals; read each list in reverse, verify it, and show the run.

    Example: server-b run --once --wait-s 60 --url redis://localhost:6379/0
    """
    if options["run_id"] and not is_token(options["run_id"]):
        raise InvalidInputError(
            where="--run", expected="a run id like 20261122T205801123Z-3f9a1c", got=repr(options["run_id"])
        )
    options["is_once"] = options["is_once"] or bool(options["run_id"])
    from shared.stopping import stop_requests

    with stop_requests() as stop:  # before the imports below, which take a while
        from server_b.group.signal_group import check_consumer_name
        from server_b.report.run_report import RunReport
        from server_b.story import consume
        from shared.program.logs import open_log

        name = check_consumer_name(consumer if consumer is not None else f"{socket.gethostname()}-{os.getpid()}")
        settings = ConsumerSettings(consumer=name, state_directory=_state_directory(), **options)

        def emit(report: RunReport) -> None:
            text = json.dumps(report.as_json()) if as_json else report.as_text(print_values=settings.print_values)
            (print_outcome if settings.is_once else click.echo)(text)

        consume(common, settings, stop=stop, log=open_log(common), emit=emit)


@group.command("read")
@endpoint_options(PROGRAM)
@option(PROGRAM, "--limit", type=WholeNumber(0, MAX_COUNT), help="Values to print.  [default: all]")
def read_command(common: CommonSettings, limit: int | None) -> None:
    """Print the whole current list in reverse, one value a line.

    Example: server-b read --limit 10
    """
    from server_b.segment.whole_list import values_in_reverse
    from shared.endpoint.opening import open_endpoint

    output = sys.stdout.buffer
    with closing(open_endpoint(common.endpoint)) as endpoint:
        for values in values_in_reverse(endpoint, common.keys, limit=limit):
            output.write(b"\n".join(values) + b"\n")
    output.flush()


@group.group("dead", no_args_is_help=True)
def dead_group() -> None:
    """List, retry or drop dead letters: entries that could not be processed."""


@dead_group.command("list")
@endpoint_options(PROGRAM)
@json_option(PROGRAM, "a letter")
def dead_list_command(common: CommonSettings, *, as_json: bool) -> None:
    """List the dead letters, oldest first, each origin once.

    Example: server-b dead list
    """
    from server_b.group.dead_letters import DeadLetters
    from shared.endpoint.opening import open_endpoint

    with closing(open_endpoint(common.endpoint)) as endpoint:
        letters = DeadLetters(endpoint, common.keys).list_letters()
    if not letters and not as_json:
        click.echo("No dead letters.")
    for letter in letters:
        fields = {_text(name): _text(value) for name, value in letter.fields.items()}
        if as_json:
            click.echo(
                json.dumps(
                    {"origin": letter.origin, "reason": letter.reason, "consumer": letter.consumer, "fields": fields}
                )
            )
        else:
            click.echo(f"{letter.origin}  {letter.reason}  (from {letter.consumer})")


@dead_group.command("retry")
@endpoint_options(PROGRAM)
@click.argument("origins", nargs=-1, metavar="[ORIGIN]...")
def dead_retry_command(common: CommonSettings, origins: tuple[str, ...]) -> None:
    """Signal dead letters again, all of them or those of the origins named.

    Example: server-b dead retry 1763844000000-0
    """
    from server_b.group.dead_letters import DeadLetters
    from shared.endpoint.opening import open_endpoint

    with closing(open_endpoint(common.endpoint)) as endpoint:
        letters = DeadLetters(endpoint, common.keys)
        chosen = letters.choose(origins)
        signalled = sum(letters.retry(letter) for letter in chosen)
    click.echo(f"Signalled {signalled} again.")


@dead_group.command("drop")
@endpoint_options(PROGRAM)
@click.argument("origins", nargs=-1, metavar="[ORIGIN]...")
def dead_drop_command(common: CommonSettings, origins: tuple[str, ...]) -> None:
    """Drop dead letters, all of them or those of the origins named.

    Example: server-b dead drop 1763844000000-0
    """
    from server_b.group.dead_letters import DeadLetters
    from shared.endpoint.opening import open_endpoint

    with closing(open_endpoint(common.endpoint)) as endpoint:
        letters = DeadLetters(endpoint, common.keys)
        chosen = letters.choose(origins)
        for letter in chosen:
            letters.drop(letter)
    click.echo(f"Dropped {len(chosen)}.")


def _state_directory() -> str:
    """Return where state is kept that outlives a program.

    Source:
        XDG Base Directory Specification: $XDG_STATE_HOME, else ~/.local/state; relative paths there are invalid.
    """
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    base = home if home.is_absolute() else Path("~/.local/state").expanduser()
    return str(base / "handover")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def main() -> None:
    """Run server-b and end the process."""
    run_program(group, PROGRAM)
