"""The `status` command, the same in both programs; each reads at its own URL."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import click

from shared.program.ending import print_outcome
from shared.program.options import CommonSettings, endpoint_options, json_option
from shared.text import shown_text

if TYPE_CHECKING:
    from shared.status.facts import RunStatus
    from shared.status.status import Status


def status_command(program: str) -> click.Command:
    """Return the `status` command of a program."""

    @click.command("status", help=_HELP.format(program=program))
    @endpoint_options(program)
    @json_option(program)
    def status(common: CommonSettings, *, as_json: bool) -> int:
        from shared.endpoint.opening import open_endpoint
        from shared.status.status import read_status

        with closing(open_endpoint(common.endpoint)) as endpoint:
            found = read_status(endpoint, common.keys, is_scanned=program == "server-a")
        print_outcome(json.dumps(found.as_json()) if as_json else status_text(found))
        return found.exit_code

    return status


_HELP = """Show runs, segments, verdicts, lag, pending entries, consumers and dead letters.

Exits with 0 only when nothing is wrong, with 65 for a failed run, a damaged list or dead letters, and with 75 for what
is not finished. A server-b that follows a replica can't write its verdicts here: such a run counts as not finished, and
the text says why.

Example: {program} status --json
"""


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
    lines += [f"Wrong: {problem}" for problem in status.problems] or ["Nothing is wrong."]
    return "\n".join(shown_text(line) for line in lines)


def _run_line(run: RunStatus) -> str:
    reason = f" ({run.reason})" if run.reason else ""
    verdicts = f"{run.verdicts} verdicts, {run.verdict}{reason}"
    if not run.has_record:
        segments = f"{run.segments} segment{'' if run.segments == 1 else 's'}"
        return f"Run {run.run_id}: {segments}, record expired or not readable here; {verdicts}"
    finished = "finished" if run.is_finished else "not finished"
    published = f"{run.published} of {run.segments} segments published"
    return f"Run {run.run_id}: {run.count:,} values, {published}, {finished}; {verdicts}"
