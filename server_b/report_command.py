"""`server-b report`: a run drawn as one file to send, or the same facts as JSON."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from shared.errors import InvalidInputError
from shared.fields import check_run_id
from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, json_option, option
from shared.program.output import json_text, say_document, say_outcome

PROGRAM = "server-b"
_STDOUT = "-"


@click.command("report", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@click.argument("run_id", metavar="[RUN_ID]", required=False)
@option(PROGRAM, "--html", metavar="FILE", help="Write the report there, as one HTML file; - for stdout.")
@json_option(PROGRAM)
def report_command(common: CommonSettings, run_id: str | None, html: str | None, *, as_json: bool) -> None:
    """Draw a run as one HTML file that needs nothing else; the newest run without an id. Nothing is written to Redis.

    It shows the verdict, both ends, the time line with outages and claims, the values a second, each segment, what is
    wrong, the carts, the first values in reverse, dead letters and the last runs. --html needs the extra `page`; --json
    prints the same facts and needs none. Exits with 75 where no run is, with 2 for a run that is not here.

    Example: server-b report --html report.html
    """
    if run_id:
        check_run_id("RUN_ID", run_id)
    if html is None and not as_json:
        raise InvalidInputError(where="server-b report", expected="--html FILE, --json or both", got="neither")
    if html == _STDOUT and as_json:
        raise InvalidInputError(where="server-b report", expected="one of --html - and --json", got="both on stdout")
    from shared.endpoint.opening import open_endpoint
    from shared.page.render import report_html, require_jinja2
    from shared.page.run_choice import collect_run

    if html is not None:
        require_jinja2()
    with closing(open_endpoint(common.endpoint)) as endpoint:
        facts = collect_run(endpoint, common, run_id or "")
    if html is not None:
        _write(html, report_html(facts))
    if as_json:
        say_outcome(json_text(facts.as_json()))


def _write(target: str, text: str) -> None:
    """Write the report as UTF-8, whatever the terminal's encoding is."""
    if target == _STDOUT:
        say_document(text)
        return
    path = Path(target)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")  # a report that was there stays whole until the end
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8")  # such as /dev/stderr, which is not to be replaced
            return
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        expected, got = "a file that can be written", error.strerror or str(error)
        raise InvalidInputError(where="--html", expected=expected, got=f"{target}: {got}") from error
