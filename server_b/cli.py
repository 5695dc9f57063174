"""The command line of server-b: reads options, builds settings, calls one function, prints its result."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from server_b.check import check_command
from server_b.explain.command import explain_command
from server_b.settings import MAX_PRINT_VALUES, ConsumerSettings
from shared.errors import InvalidInputError
from shared.fields import check_run_id
from shared.program.ending import run_program
from shared.program.group import CommandGroup, main_group
from shared.program.kinds import Seconds, WholeNumber
from shared.program.options import CommonSettings, endpoint_options, json_option, option
from shared.program.output import json_text, say, say_outcome, say_values
from shared.segments import MAX_COUNT
from shared.status.command import status_command
from shared.text import shown_text, typed_text

if TYPE_CHECKING:
    from server_b.group.dead_letters import DeadLetters

PROGRAM = "server-b"
_option = partial(option, PROGRAM)


def _report() -> click.Command:
    from server_b.report_command import report_command

    return report_command


def _page() -> click.Command:
    from server_b.page_command import page_command

    return page_command


group = main_group(
    PROGRAM,
    "Take the signal, read the list in reverse, and verify that all of it arrived.",
    {"report": _report, "page": _page},
)
for _command in (check_command, explain_command, status_command(PROGRAM)):
    group.add_command(_command)


@group.command("run")
@endpoint_options(PROGRAM)
@_option("--once", "is_once", is_flag=True, help="End at the first complete run, verified (0) or failed (65).")
@_option("--run", "run_id", metavar="RUN_ID", default="", show_default=False, help="End at this run; implies --once.")
@_option("--wait-s", type=Seconds(), help="Exit with 75 after so long without a verdict of ours.  [default: never]")
@_option("--consumer", metavar="NAME", help="Our name in the consumer group.  [default: <host>-<pid>-<4 hex>]")
@_option(
    "--claim-idle-ms",
    type=WholeNumber(100, 86_400_000),
    default=ConsumerSettings.claim_idle_ms,
    help="Idle time after which another consumer's pending entry is claimed.",
)
@_option(
    "--max-deliveries",
    type=WholeNumber(1, 1_000),
    default=ConsumerSettings.max_deliveries,
    help="Deliveries after which an entry becomes a dead letter.",
)
@_option("--settle-s", type=Seconds(), default=ConsumerSettings.settle_s, help="Seconds to wait for a signalled list.")
@_option(
    "--print-values",
    type=WholeNumber(0, MAX_PRINT_VALUES),
    default=ConsumerSettings.print_values,
    help="Values to show, in reverse.",
)
@_option("--heartbeat-file", metavar="FILE", help="Touched about once a second while alive.")
@json_option(PROGRAM, "a run")
def run_command(common: CommonSettings, *, as_json: bool, consumer: str | None, **options: Any) -> None:
    """Wait for signals; read each list in reverse, verify it, and show the run.

    Example: server-b run --once --wait-s 60 --url redis://localhost:6379/0
    """
    run_id = options["run_id"]
    if run_id:
        check_run_id("--run", run_id)
    options["is_once"] = options["is_once"] or bool(run_id)
    # host and pid alone are not unique: several containers of one host name are each pid 1
    own_name = f"{socket.gethostname()[:180]}-{os.getpid()}-{os.urandom(2).hex()}"
    name = consumer if consumer is not None else own_name
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise InvalidInputError(where="--consumer", expected="1 to 200 printable characters", got=typed_text(name))
    from shared.stopping import stop_requests

    with stop_requests() as stop:  # before the imports below, which take a while
        from server_b.report.run_report import RunReport
        from server_b.story import consume
        from shared.program.state_folder import state_directory
        from shared.program.telemetry.opening import consumer_telemetry

        token = "" if consumer is None else os.urandom(16).hex()
        settings = ConsumerSettings(consumer=name, name_token=token, state_directory=state_directory(), **options)

        def emit(report: RunReport) -> None:
            text = json_text(report.as_json()) if as_json else report.as_text(print_values=settings.print_values)
            (say_outcome if settings.is_once else say)(text, {report.verdict_line: report.verdict})

        with consumer_telemetry(common) as (telemetry, log):
            consume(common, settings, stop=stop, log=log, emit=emit, telemetry=telemetry)


@group.command("read")
@endpoint_options(PROGRAM)
@_option("--limit", type=WholeNumber(0, MAX_COUNT), help="Values to print.  [default: all]")
def read_command(common: CommonSettings, limit: int | None) -> None:
    """Print the whole current list in reverse, one value a line: byte for byte, but escaped on a terminal.

    Example: server-b read --limit 10
    """
    from server_b.segment.whole_list import values_in_reverse
    from shared.endpoint.opening import open_endpoint

    with closing(open_endpoint(common.endpoint)) as endpoint:
        say_values(values_in_reverse(endpoint, common.keys, limit=limit))


@group.group("dead", cls=CommandGroup, no_args_is_help=True)
def dead_group() -> None:
    """List, retry or drop dead letters: entries that could not be processed."""


@contextmanager
def _dead_letters(common: CommonSettings) -> Iterator[DeadLetters]:
    from server_b.group.dead_letters import DeadLetters
    from shared.endpoint.opening import open_endpoint

    with closing(open_endpoint(common.endpoint)) as endpoint:
        dead = DeadLetters(endpoint, common.keys)
        dead.require_ours()
        yield dead


@dead_group.command("list")
@endpoint_options(PROGRAM)
@json_option(PROGRAM, "a letter")
def dead_list_command(common: CommonSettings, *, as_json: bool) -> None:
    """List the dead letters, oldest first.

    Example: server-b dead list
    """
    with _dead_letters(common) as dead:
        letters = dead.list_letters()
    if not letters and not as_json:
        say("No dead letters.")
    for letter in letters:
        text = shown_text(f"{letter.origin}  {letter.reason}  (from {letter.consumer})")
        say(json_text(letter.as_json()) if as_json else text)
    if dead.others and not as_json:
        entries = "entry is no dead letter and stays" if dead.others == 1 else "entries are no dead letters and stay"
        say(f"{dead.others:,} {entries}.")


@dead_group.command("retry")
@endpoint_options(PROGRAM)
@click.argument("origins", nargs=-1, metavar="[ORIGIN]...")
def dead_retry_command(common: CommonSettings, origins: tuple[str, ...]) -> None:
    """Signal dead letters again: those of the origins given, or all.

    ORIGIN is the entry's id in signals, first in each line of dead list.

    It needs the permissions of deploy/acl/retry.acl, since whoever may add signals can also remove them.

    Example: server-b dead retry 1763844000000-0
    """
    from shared.errors import NotAllowedError

    with _dead_letters(common) as dead:
        letters = dead.choose(origins)
        try:
            signalled = sum(map(dead.retry, letters))
        except NotAllowedError as error:
            error.advice = "dead retry has an access rule of its own, deploy/acl/retry.acl"
            raise
    say(f"Signalled {signalled} again.")


@dead_group.command("drop")
@endpoint_options(PROGRAM)
@click.argument("origins", nargs=-1, metavar="[ORIGIN]...")
def dead_drop_command(common: CommonSettings, origins: tuple[str, ...]) -> None:
    """Drop dead letters: those of the origins given, or all.

    ORIGIN is the entry's id in signals, first in each line of dead list.

    Example: server-b dead drop 1763844000000-0
    """
    with _dead_letters(common) as dead:
        chosen = dead.choose(origins)
        for letter in chosen:
            dead.drop(letter)
    say(f"Dropped {len(chosen)}.")


def main() -> None:
    """Run server-b and end the process."""
    run_program(group, PROGRAM)
