"""The `status` command, the same in both programs; each reads at its own URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from shared.advice import CHECK_BOTH_ENDS
from shared.errors import HandoverError, TransientError
from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, json_option, option
from shared.program.output import can_redraw, json_text, redraw, say, say_outcome, tell
from shared.text import joined_lines, shown_text
from shared.verdict import FAILED, VERIFIED

if TYPE_CHECKING:
    from shared.endpoint.endpoint import Endpoint
    from shared.status.facts import RunStatus
    from shared.status.status import Status
    from shared.stopping import StopRequest


def status_command(program: str) -> click.Command:
    """Return the `status` command of a program."""

    @click.command("status", cls=SectionedCommand, help=_HELP.format(program=program))
    @endpoint_options(program)
    @json_option(program)
    @option(program, "--watch", is_flag=True, help="Look again every second, until Ctrl-C; show what has changed.")
    def status(common: CommonSettings, *, as_json: bool, watch: bool) -> int:
        from shared.endpoint.opening import open_endpoint
        from shared.stopping import stop_requests

        def show(found: Status) -> None:
            say_outcome(json_text(found.as_json()) if as_json else status_text(found), status_marks(found))

        if not watch:
            from shared.program.progress import Progress

            with (
                closing(open_endpoint(common.endpoint)) as endpoint,
                Progress("Looking", None, unit="segments") as progress,
            ):
                found = _look(endpoint, common, program, progress.add)
            show(found)
            return found.exit_code
        with stop_requests() as stop, closing(open_endpoint(common.endpoint)) as endpoint:
            return _watch(endpoint, common, program, stop, _show_json if as_json else None)

    return status


def _show_json(found: Status) -> None:
    say(json_text(found.as_json()))  # not as an outcome: a watch that nobody reads any more ends


def _look(
    endpoint: Endpoint, common: CommonSettings, program: str, passed: Callable[[int], None] = lambda _: None
) -> Status:
    from shared.program.state_folder import state_directory
    from shared.program.verdict_file import VerdictFile
    from shared.status.status import read_status

    local = {}
    if program == "server-b" and endpoint.kind.is_replica and state_directory():
        files = {"endpoint": endpoint.name, "namespace": common.keys.namespace}
        local = VerdictFile(state_directory(), **files).read()
    return read_status(endpoint, common.keys, is_scanned=program == "server-a", local=local, passed=passed)


def _watch(
    endpoint: Endpoint,
    common: CommonSettings,
    program: str,
    stop: StopRequest,
    show_json: Callable[[Status], None] | None,
) -> int:
    """Show each status that is another one: redrawn on a terminal, as JSON lines, or as blocks with a line between."""
    from shared.status.watch import watch

    is_redrawn, blocks = show_json is None and can_redraw(), 0

    def look() -> Status:
        try:
            return _look(endpoint, common, program)
        except TransientError:
            with suppress(HandoverError):  # the next look meets the same fault
                endpoint.refresh()
            raise

    def show(found: Status) -> None:
        nonlocal blocks
        if is_redrawn:
            redraw(status_text(found), status_marks(found))
        else:
            say(("\n" if blocks else "") + status_text(found), status_marks(found))
        blocks += 1

    def tell_away(error: TransientError) -> None:
        tell(shown_text(f"{program}: {error}; looking again"))

    return watch(look, show_json or show, tell_away, stop, is_redrawn=is_redrawn)


_HELP = """Show runs, segments, verdicts, lag, pending entries, consumers and dead letters.

Exits with 0 only when the newest run is verified and nothing is wrong; with 65 for a failed run, a damaged list or dead
letters; with 75 for what is not finished, when nothing of a hand-over is here, and when not everything could be looked
at; the text says which. A server-b that follows a replica keeps its verdicts in a file:
server-b status on its host, at the same URL, reads them; elsewhere such a run counts as not finished, and the text says
why. Runs that have published nothing yet are shown by server-a alone.

With --watch it looks again every second, or less often where a look takes long, and ends at Ctrl-C with the exit code
of the last status: redrawn on a terminal, elsewhere one block, or with --json one line, for each change. A server that
is lost meanwhile is waited for.

Example: {program} status --json
"""

_ELSEWHERE = f"Nothing of a hand-over is here. {CHECK_BOTH_ENDS[0].upper()}{CHECK_BOTH_ENDS[1:]}."
_ALL_IS_WELL, _WRONG = "Nothing is wrong.", "Wrong"
_NO_RUN = "No run is here yet, though a server-b has been."


def status_text(status: Status) -> str:
    """Return the status as text for a terminal, escaped, since others may have stored, say, a consumer's name."""
    lines = [status.endpoint + (f", namespace {status.namespace}" if status.namespace else "")]
    if not status.runs:
        lines.append("No run is known here.")
    lines += [_run_line(run) for run in status.runs]
    lag = "unknown" if status.group.lag is None else f"{status.group.lag}"
    lines.append(f"Signals: lag {lag}, {status.group.pending} pending, {status.dead_letters} dead letters")
    for consumer in status.group.consumers:
        idle_s = consumer["idle_ms"] / 1_000
        lines.append(f"Consumer {consumer['name']}: {consumer['pending']} pending, idle for {idle_s:.1f} s")
    for heading, sentences in (
        (_WRONG, status.problems),
        ("Under way", status.under_way),
        ("Not looked at", status.not_looked_at),
    ):
        lines += [f"{heading}: {sentence}" for sentence in sentences]
    if status.is_empty:
        lines.append(_NO_RUN if status.group.is_there and not status.problems else _ELSEWHERE)
    elif not status.exit_code:
        lines.append(_ALL_IS_WELL)
    return joined_lines(lines)


def status_marks(status: Status) -> dict[str, str]:
    """Return which lines of the text tell that all is well, or what is wrong."""
    return {_ALL_IS_WELL: VERIFIED} | {f"{_WRONG}: {problem}": FAILED for problem in status.problems}


def _run_line(run: RunStatus) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    verdicts = f"{run.verdicts} verdicts, {run.verdict}{reason}"
    if not run.has_record:
        segments = f"{run.segments} segment{'' if run.segments == 1 else 's'}"
        return f"Run {run.run_id}: {segments}, record expired or not readable here; {verdicts}"
    finished = "finished" if run.is_finished else "not finished"
    published = f"{run.published} of {run.segments} segments published"
    return f"Run {run.run_id}: {run.count:,} values, {published}, {finished}; {verdicts}"
