"""`server-b explain`: everything that is wrong with the lists of a failed run."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from shared.fields import check_run_id
from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, json_option, option
from shared.program.output import json_text, say_outcome
from shared.text import joined_lines

if TYPE_CHECKING:
    from server_b.explain.explanation import Explanation
    from server_b.explain.ranges import WrongRange

PROGRAM = "server-b"


@click.command("explain", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@click.argument("run_id", metavar="RUN_ID")
@option(PROGRAM, "--values", metavar="FILE", help="The file that the run was written from, to see which lines.")
@json_option(PROGRAM)
def explain_command(common: CommonSettings, run_id: str, values: str | None, *, as_json: bool) -> None:
    """Read the lists of a failed run again and say all that is wrong with them.

    Each range of values that are missing, doubled, moved or foreign, with up to ten examples of a kind. Of lines that
    needs the file that the run was written from; without it only the blocks of 1,000 that differ are known. Positions
    count from 1 in the order of insertion. Nothing is written.

    Example: server-b explain 20261122T205801123Z-3f9a1c --json
    """
    check_run_id("RUN_ID", run_id)
    from server_b.explain.explanation import Explainer
    from server_b.explain.found_verdicts import read_verdicts
    from server_b.explain.lines import LinesOfFile
    from shared.endpoint.opening import open_endpoint
    from shared.program.progress import Progress
    from shared.program.state_folder import state_directory
    from shared.program.verdict_file import VerdictFile

    with ExitStack() as stack:
        file = stack.enter_context(closing(LinesOfFile(values))) if values is not None else None
        endpoint = stack.enter_context(closing(open_endpoint(common.endpoint)))
        local = {}
        if endpoint.kind.is_replica:
            files = {"endpoint": endpoint.name, "namespace": common.keys.namespace}
            local = VerdictFile(state_directory(), **files).read()
        with Progress("Looking", None, unit="verdicts") as progress:
            verdicts = read_verdicts(endpoint, common.keys, run_id, local, progress.add)
        with Progress("Reading", len(verdicts.failed), unit="segments") as progress:
            found = Explainer(endpoint, common.keys, run_id, file).explain(verdicts, progress.add)
    say_outcome(json_text(found.as_json()) if as_json else explanation_text(found))


def explanation_text(found: Explanation) -> str:
    """Return an explanation as text for a terminal, escaped."""
    if not found.failed:
        return f"Run {found.run_id} is {found.verdict}; no segment has failed."
    segments = f"segment{'' if len(found.failed) == 1 else 's'} {', '.join(f'{number:,}' for number in found.failed)}"
    lines = [f"Run {found.run_id}: {found.verdict} for {segments}."]
    lines += [f"As its verdict says: {witness.as_text()}." for witness in found.witnesses]
    lines += [f"Segment {segment:,}: {note}." for segment, note in found.notes]
    lines += [_range_line(each) for each in sorted(found.ranges.kept, key=lambda each: (each.first, each.kind))]
    lines += [f"{kind}: {count:,} more ranges" for kind, count in found.ranges.left_out.items()]
    if set(found.failed) - {segment for segment, _ in found.notes}:
        lines.append(f"server-a run --resume {found.run_id} --repair writes what failed again.")
    return joined_lines(lines)


def _range_line(each: WrongRange) -> str:
    where = f"{each.first:,}" if each.first == each.last else f"{each.first:,} to {each.last:,}"
    examples = ", ".join(f"{example['value']!r} at {example['position']:,}" for example in each.examples)
    return f"  {each.kind:<9} {where}" + (f": {examples}" if examples else "")
