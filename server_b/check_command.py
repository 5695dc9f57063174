"""`server-b check`: what is at the URL and whether server-b can do its job there."""

from __future__ import annotations

import json

import click

from shared.program.ending import print_outcome
from shared.program.options import CommonSettings, endpoint_options, option

PROGRAM = "server-b"


@click.command("check")
@endpoint_options(PROGRAM)
@option(PROGRAM, "--json", "as_json", is_flag=True, help="Print one JSON object.")
def check_command(common: CommonSettings, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-b can do its job there; ends with 0 only when it can.

    A replica is fine: server-b follows it, and needs only rights to read. Ends with 77 when a right lacks, 75 when the
    server takes no writes now, 78 for the wrong kind of server or key. Nothing is written.

    Example: server-b check --url redis://replica.example:6379/0
    """
    from server_b.check import check
    from shared.check.text import findings_text

    findings = check(common)
    print_outcome(json.dumps(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code
