"""`server-b check`: what is at the URL and whether server-b can do its job there."""

from __future__ import annotations

import json

import click

from shared.program.ending import print_outcome
from shared.program.options import CommonSettings, endpoint_options, json_option

PROGRAM = "server-b"


@click.command("check")
@endpoint_options(PROGRAM)
@json_option(PROGRAM)
def check_command(common: CommonSettings, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-b can do its job there; ends with 0 only when it can.

    A replica is fine: server-b follows it, and needs only permissions to read. Exits with 77 when a permission is
    missing, 75 when the server takes no writes now, 78 for the wrong kind of server or key. Nothing is written.

    Example: server-b check --url redis://replica.example:6379/0
    """
    from server_b.check import check
    from shared.check.text import findings_text

    findings = check(common)
    print_outcome(json.dumps(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code
