"""The command line of server-a: reads options, builds settings, calls one function, prints its result."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from server_a.check.command import check_command
from server_a.run.settings import RunOutcome, RunSettings
from server_a.shop.commands import cart, sku, user
from shared.errors import InvalidInputError
from shared.program.ending import main_group, print_outcome, run_program
from shared.program.options import CommonSettings, Seconds, WholeNumber, endpoint_options, json_option, option
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES
from shared.status.command import status_command

PROGRAM = "server-a"
_SHOP_MOST = 100_000_000

group = main_group(PROGRAM, "Write users, SKUs, carts and one big list into Redis, then signal it to server-b.")
for _command in (user, sku, cart, check_command, status_command(PROGRAM)):
    group.add_command(_command)


@group.command("run")
@endpoint_options(PROGRAM)
@option(PROGRAM, "--count", type=WholeNumber(1, MAX_COUNT), help="Numbers to write.  [default: 10000]")
@option(PROGRAM, "--values", metavar="FILE", help="Write the lines of FILE instead of numbers; - for standard input.")
@option(
    PROGRAM,
    "--segment-values",
    type=WholeNumber(1, MAX_SEGMENT_VALUES),
    help="Values a segment at most.  [default: 1000000]",
)
@option(PROGRAM, "--resume", metavar="RUN_ID", help="Go on with a run that was stopped or killed.")
@option(PROGRAM, "--users", type=WholeNumber(0, _SHOP_MOST), help="Users to write, the sample first.  [default: 1]")
@option(PROGRAM, "--skus", type=WholeNumber(0, _SHOP_MOST), help="SKUs to write, the sample first.  [default: 2]")
@option(PROGRAM, "--carts", type=WholeNumber(0, _SHOP_MOST), help="Carts to write, the sample first.  [default: 1]")
@option(PROGRAM, "--seed", type=WholeNumber(0, 2**31 - 1), help="Seed of the generated shop.  [default: 1]")
@option(PROGRAM, "--overwrite", is_flag=True, help="Replace a list that server-a did not write.")
@option(PROGRAM, "--min-replicas", type=WholeNumber(0, 100), default=0, help="Replicas that must have each segment.")
@option(PROGRAM, "--patience-s", type=Seconds(), default=60, help="Seconds without an answer that are waited out.")
@option(PROGRAM, "--await-verdict-s", type=Seconds(), default=0, help="Seconds to wait for server-b's verdict.")
@option(
    PROGRAM,
    "--retain-days",
    type=WholeNumber(1, 3650),
    help="Days that run, results and signals are kept.  [default: 7]",
)
@json_option(PROGRAM)
def run_command(common: CommonSettings, *, as_json: bool, **options: Any) -> None:
    """Write the sample shop and the list, publish it, signal it, and audit what the server has.

    Example: server-a run --url redis://localhost:6379/0 --count 10000
    """
    settings = RunSettings(**options)
    if settings.count is not None and settings.values is not None:
        raise InvalidInputError(where="--count", expected="not together with --values", got="both")
    from shared.stopping import stop_requests

    with stop_requests() as stop:  # before the imports below, which take a while
        from server_a.run.opening import open_story
        from shared.program.logs import open_log

        with open_story(common, settings, stop=stop, log=open_log(common)) as story:
            outcome = story.run()
            if as_json:
                print_outcome(json.dumps(asdict(outcome.summary)))
            else:
                _print_outcome(outcome)
            if settings.await_verdict_s:
                verdict = story.await_verdict()
                if not as_json:
                    print_outcome(f"server-b's verdict: {verdict}.")


def _print_outcome(outcome: RunOutcome) -> None:
    summary = outcome.summary
    names = [f"'{name}'" for name in dict.fromkeys((outcome.first_list, outcome.last_list))]
    shop = [_counted(summary.users, "user"), _counted(summary.skus, "SKU"), _counted(summary.carts, "cart")]
    print_outcome(f"Wrote {shop[0]}, {shop[1]} and {shop[2]}.")
    print_outcome(f"Inserted {outcome.inserted} into {' to '.join(names)}.")
    print_outcome(f"Signalled run {summary.run_id}: {_counted(summary.segments, 'segment')}, digest {summary.digest}.")
    print_outcome(
        f"Writing took {summary.write_s:.3f} s ({summary.values_per_s:,} values/s), "
        f"signalling {outcome.signal_s:.3f} s."
    )
    if summary.lost_acknowledged or summary.outage_s:
        print_outcome(
            f"Outages lasted {summary.outage_s:.1f} s; {summary.lost_acknowledged:,} acknowledged values had been lost "
            "and were written again."
        )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@group.command("purge")
@endpoint_options(PROGRAM)
@option(PROGRAM, "--yes", is_flag=True, help="Do not ask.")
def purge_command(common: CommonSettings, *, yes: bool) -> None:
    """Remove everything server-a and server-b wrote under the namespace, and nothing else.

    Example: server-a purge --namespace shop1 --yes
    """
    import sys
    from contextlib import closing

    from server_a.purge import purge
    from shared.endpoint.opening import open_endpoint

    if not yes and not sys.stdin.isatty():
        raise InvalidInputError(where="purge", expected="--yes, or a terminal to ask on", got="neither")
    with closing(open_endpoint(common.endpoint)) as endpoint:
        namespace = f"namespace {common.keys.namespace}" if common.keys.namespace else "no namespace"
        if not yes and not click.confirm(
            f"Remove everything server-a and server-b wrote at {endpoint.name}, {namespace}?"
        ):
            click.echo("Nothing was removed.")
            return
        removed = purge(endpoint, common.keys)
    click.echo(f"Removed {removed:,} {'key' if removed == 1 else 'keys'}.")


def main() -> None:
    """Run server-a and end the process."""
    run_program(group, PROGRAM)
