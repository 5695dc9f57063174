"""`server-a check`: what is at the URL, whether server-a can do its job there, and how a peer hangs together with it.

Whatever needs redis is imported when the command runs, so that `--help` comes back at once.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from server_a.run.settings import DEFAULT_COUNT
from shared.program.ending import print_outcome
from shared.program.options import CommonSettings, WholeNumber, endpoint_options, json_option, option, url_of_option
from shared.segments import MAX_COUNT

if TYPE_CHECKING:
    from shared.endpoint.settings import EndpointSettings
    from shared.endpoint.url import EndpointUrl

PROGRAM = "server-a"


@click.command("check")
@endpoint_options(PROGRAM)
@option(
    PROGRAM,
    "--peer-url",
    metavar="URL",
    callback=url_of_option,
    help="Server-b's URL: test whether data written at ours shows up there.",
)
@option(PROGRAM, "--count", type=WholeNumber(1, MAX_COUNT), default=DEFAULT_COUNT, help="Numbers to find room for.")
@json_option(PROGRAM)
def check_command(common: CommonSettings, peer_url: EndpointUrl | None, count: int, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-a can do its job there; ends with 0 only when it can.

    Exits with 77 when a permission is missing, 75 when there is no room or the peer is not connected, 78 at a replica
    or a cache. Nothing is written but, with --peer-url, 20 short-lived probe keys. The peer is reached with the same
    --tls-* options; its password comes from its URL, SERVER_B_PASSWORD or SERVER_B_PASSWORD_FILE.

    Example: server-a check --count 1000000 --peer-url redis://replica.example:6379/0
    """
    from server_a.check.check import check
    from shared.check.text import findings_text

    peer = None if peer_url is None else _peer_settings(common.endpoint, peer_url)
    findings = check(common, count=count, peer_settings=peer)
    print_outcome(json.dumps(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code


def _peer_settings(own: EndpointSettings, url: EndpointUrl) -> EndpointSettings:
    """Return how to reach the peer: as ourselves, but with its own URL and password."""
    return replace(
        own,
        url=url,
        password=os.environ.get("SERVER_B_PASSWORD"),
        password_file=os.environ.get("SERVER_B_PASSWORD_FILE"),
    )
