"""`server-a run`: reads its options, hands over once or, with `--every`, again and again, and prints how that went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from server_a.run.settings import DEFAULTS, EVERY_AWAIT_VERDICT_S, MAX_WRITERS, RunSettings
from shared.endpoint.reply_times import times_text
from shared.errors import InvalidInputError
from shared.program.help import SectionedCommand
from shared.program.kinds import Seconds, WholeNumber, WholeNumberOrAuto
from shared.program.options import CommonSettings, F, endpoint_options, json_option, option
from shared.program.output import json_text, say_outcome
from shared.record import MAX_SHOP_RECORDS
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES
from shared.text import joined_lines

if TYPE_CHECKING:
    from server_a.run.outcome import RunSummary
    from server_a.run.story import Story
    from shared.stopping import StopRequest

PROGRAM = "server-a"


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


@click.command("run", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@_option("--count", WholeNumber(1, MAX_COUNT), "Numbers to write.")
@option(PROGRAM, "--values", metavar="FILE", help="Write the lines of FILE instead of numbers; - for standard input.")
@_option("--segment-values", WholeNumber(1, MAX_SEGMENT_VALUES), "Values a segment at most.")
@option(PROGRAM, "--writers", type=WholeNumberOrAuto(1, MAX_WRITERS), default="auto", help=_WRITERS_HELP)
@option(PROGRAM, "--resume", metavar="RUN_ID", help="Go on with a run that was stopped; --values is needed again.")
@option(PROGRAM, "--repair", is_flag=True, help="With --resume: write again what server-b's verdict says has failed.")
@_option("--users", _RECORDS, "Users to write, the sample first.")
@_option("--skus", _RECORDS, "SKUs to write, the sample first.")
@_option("--carts", _RECORDS, "Carts to write, the sample first.")
@_option("--seed", WholeNumber(0, 2**31 - 1), "Seed of the generated shop.")
@option(
    PROGRAM,
    "--overwrite",
    is_flag=True,
    help="Replace lists of others, write over shop records that exist.",
)
@_option("--min-replicas", WholeNumber(0, 100), "Replicas that must have each segment.")
@_option("--patience-s", Seconds(), "Seconds without an answer after which the run stops.")
@_option("--await-verdict-s", Seconds(), "Seconds to wait for server-b's verdict; 60 with --every.")
@_option("--retain-days", WholeNumber(1, 3650), "Days that run, results and signals are kept.")
@option(PROGRAM, "--every", type=Seconds(), help="Hand over again this many seconds after each verdict, until stopped.")
@json_option(PROGRAM, "for each run")
def run_command(common: CommonSettings, *, as_json: bool, **options: Any) -> None:
    """Write the sample shop and the list, publish it, signal it, and audit what the server has.

    With --every it goes on when a run has failed or no server answers, and its last line is a JSON object with the
    counts of all runs.

    Example: server-a run --url redis://localhost:6379/0 --count 10000
    """
    settings = RunSettings(**options)
    if settings.count is not None and settings.values is not None:
        raise InvalidInputError(where="--count", expected="not together with --values", got="both")
    from shared.stopping import stop_requests

    with stop_requests() as stop:  # before the imports below, which take a while
        if settings.every is not None:
            _run_every(common, settings, stop, as_json=as_json)
            return
        from server_a.run.opening import open_story
        from shared.program.telemetry.opening import producer_telemetry

        with (
            producer_telemetry(common) as (telemetry, log),
            open_story(common, settings, stop=stop, log=log, telemetry=telemetry) as story,
        ):
            summary = story.run()
            say_outcome(json_text(asdict(summary)) if as_json else _summary_text(summary, story))
            if settings.await_verdict_s:
                verdict = story.await_verdict()
                if not as_json:
                    _say_verdict(verdict)


def _run_every(common: CommonSettings, settings: RunSettings, stop: StopRequest, *, as_json: bool) -> None:
    """Hand over until stopped; print each run, and at the end, however it comes, the counts of all."""
    for name, given in (("--resume", settings.resume), ("--values -", settings.values == "-")):
        if given:
            raise InvalidInputError(where="--every", expected=f"not together with {name}", got="both")
    if click.get_current_context().get_parameter_source("await_verdict_s") == ParameterSource.DEFAULT:
        settings = replace(settings, await_verdict_s=EVERY_AWAIT_VERDICT_S)
    from server_a.run.every import HandOvers
    from shared.program.telemetry.opening import producer_telemetry

    with producer_telemetry(common) as (telemetry, log):
        hand_overs = HandOvers(common, settings, stop, log, telemetry)
        try:
            for story, summary, verdict in hand_overs.run():
                if as_json:
                    say_outcome(json_text(asdict(summary)))
                else:
                    say_outcome(_summary_text(summary, story))
                    _say_verdict(verdict)
        finally:
            say_outcome(json_text(hand_overs.as_json()))


def _say_verdict(verdict: str) -> None:
    line = f"server-b's verdict: {verdict}."
    say_outcome(line, {line: verdict})


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
