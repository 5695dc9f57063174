"""The command line of server-a: reads options, builds settings, calls one function, prints its result."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from server_a.run.settings import DEFAULTS, MAX_WRITERS, RunSettings
from shared.endpoint.reply_times import times_text
from shared.errors import InvalidInputError
from shared.program.ending import run_program
from shared.program.group import main_group
from shared.program.options import (
    CommonSettings,
    F,
    Seconds,
    WholeNumber,
    WholeNumberOrAuto,
    endpoint_options,
    json_option,
    option,
    url_of_option,
)
from shared.program.output import json_text, say_outcome
from shared.record import MAX_SHOP_RECORDS
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES
from shared.status.command import status_command
from shared.text import joined_lines

if TYPE_CHECKING:
    import click

    from server_a.run.outcome import RunSummary
    from server_a.run.story import Story
    from shared.endpoint.url import EndpointUrl

PROGRAM = "server-a"


def _user() -> click.Command:
    from server_a.shop.record_commands import user

    return user


def _sku() -> click.Command:
    from server_a.shop.record_commands import sku

    return sku


def _cart() -> click.Command:
    from server_a.shop.cart_commands import cart

    return cart


def _purge() -> click.Command:
    from server_a.purge.command import purge

    return purge


group = main_group(
    PROGRAM,
    "Write users, SKUs, carts and one big list into Redis, then signal it to server-b.",
    {"user": _user, "sku": _sku, "cart": _cart, "purge": _purge},
)
group.add_command(status_command(PROGRAM))


def _option(name: str, kind: click.ParamType[Any], text: str) -> Callable[[F], F]:
    """Return an option whose default is in `DEFAULTS` or `RunSettings`.

    One in `DEFAULTS` stays None if it is not given, because a resumed run then takes what its record says.
    """
    setting = name.removeprefix("--").replace("-", "_")
    if setting in DEFAULTS:
        return option(PROGRAM, name, type=kind, help=f"{text}  [default: {DEFAULTS[setting]}]")
    return option(PROGRAM, name, type=kind, help=text, default=getattr(RunSettings, setting))


_RECORDS = WholeNumber(0, MAX_SHOP_RECORDS)
_WRITERS_HELP = "Processes that write segments; auto: one for each primary, at most one a core."


@group.command("run")
@endpoint_options(PROGRAM)
@_option("--count", WholeNumber(1, MAX_COUNT), "Numbers to write.")
@option(PROGRAM, "--values", metavar="FILE", help="Write the lines of FILE instead of numbers; - for standard input.")
@_option("--segment-values", WholeNumber(1, MAX_SEGMENT_VALUES), "Values a segment at most.")
@option(PROGRAM, "--writers", type=WholeNumberOrAuto(1, MAX_WRITERS), default="auto", help=_WRITERS_HELP)
@option(PROGRAM, "--resume", metavar="RUN_ID", help="Go on with a run that was stopped or killed.")
@_option("--users", _RECORDS, "Users to write, the sample first.")
@_option("--skus", _RECORDS, "SKUs to write, the sample first.")
@_option("--carts", _RECORDS, "Carts to write, the sample first.")
@_option("--seed", WholeNumber(0, 2**31 - 1), "Seed of the generated shop.")
@option(PROGRAM, "--overwrite", is_flag=True, help="Replace lists of others, write over shop records that exist.")
@_option("--min-replicas", WholeNumber(0, 100), "Replicas that must have each segment.")
@_option("--patience-s", Seconds(), "Seconds without an answer after which the run stops.")
@_option("--await-verdict-s", Seconds(), "Seconds to wait for server-b's verdict.")
@_option("--retain-days", WholeNumber(1, 3650), "Days that run, results and signals are kept.")
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
            summary = story.run()
            say_outcome(json_text(asdict(summary)) if as_json else _summary_text(summary, story))
            if settings.await_verdict_s:
                verdict = story.await_verdict()
                if not as_json:
                    say_outcome(f"server-b's verdict: {verdict}.")


def _summary_text(summary: RunSummary, story: Story) -> str:
    ends = [story.common.keys.segment(number) for number in (1, summary.segments)]
    names = " to ".join(f"'{name}'" for name in dict.fromkeys(ends))
    users, skus, carts = (
        _counted(number, noun)
        for number, noun in ((summary.users, "user"), (summary.skus, "SKU"), (summary.carts, "cart"))
    )
    if summary.shop_kept:
        records, verb = _counted(summary.shop_kept, "record"), "was" if summary.shop_kept == 1 else "were"
        advice = "--overwrite writes over what is there"
        shop = f"Of {users}, {skus} and {carts}, {records} {verb} there already and left unchanged; {advice}."
    else:
        shop = f"Wrote {users}, {skus} and {carts}."
    segments, values_per_s = _counted(summary.segments, "segment"), f"{summary.values_per_s:,} values/s"
    lines = [
        shop,
        f"Inserted {story.source.describe()} into {names}.",
        f"Signalled run {summary.run_id}: {segments}, digest {summary.digest}.",
        f"Writing took {summary.write_s:.3f} s ({values_per_s}), signalling {story.announcer.signal_s:.3f} s.",
    ]
    if summary.reply_ms:
        lines.append(times_text(summary.reply_ms))
    if summary.lost_acknowledged or summary.outage_s:
        lines.append(
            f"Outages lasted {summary.outage_s:.1f} s; {summary.lost_acknowledged:,} acknowledged values had been lost "
            "and were written again."
        )
    return joined_lines(lines)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


@group.command("check")
@endpoint_options(PROGRAM)
@option(
    PROGRAM,
    "--peer-url",
    metavar="URL",
    callback=url_of_option,
    help="Server-b's URL: tell whether data written here shows up there.",
)
@option(PROGRAM, "--count", type=WholeNumber(1, MAX_COUNT), default=DEFAULTS["count"], help="Numbers to find room for.")
@json_option(PROGRAM)
def check_command(common: CommonSettings, peer_url: EndpointUrl | None, count: int, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-a can do its job there; exits with 0 only when it can.

    Exits with 77 when a permission is missing, 75 when there is no room or the peer is not connected, 78 at a replica
    or a cache. Nothing is written except, with --peer-url, 20 probe keys that are removed. The peer is reached with the
    same --tls-* options; its password comes from its URL, SERVER_B_PASSWORD or SERVER_B_PASSWORD_FILE, and that of
    its Sentinels from SERVER_B_SENTINEL_PASSWORD or SERVER_B_SENTINEL_PASSWORD_FILE.

    Example: server-a check --count 1000000 --peer-url redis://replica.example:6379/0
    """
    from server_a.check.check import check
    from shared.check.text import findings_text

    peer = None
    if peer_url is not None:
        logins = ("password", "password_file", "sentinel_password", "sentinel_password_file")
        given: dict[str, Any] = {name: os.environ.get(f"SERVER_B_{name.upper()}") for name in logins}
        peer = replace(common.endpoint, url=peer_url, **given)
    findings = check(common, count=count, peer_settings=peer)
    say_outcome(json_text(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code


def main() -> None:
    """Run server-a and end the process."""
    run_program(group, PROGRAM)
