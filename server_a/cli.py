"""The command line of server-a: reads options, builds settings, calls one function, prints its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server_a.run.settings import DEFAULTS
from shared.program.ending import run_program
from shared.program.group import main_group
from shared.program.kinds import WholeNumber
from shared.program.options import CommonSettings, endpoint_options, json_option, option
from shared.program.output import json_text, say_outcome
from shared.program.peer import peer_options
from shared.segments import MAX_COUNT
from shared.status.command import status_command

if TYPE_CHECKING:
    import click

    from shared.endpoint.settings import EndpointSettings

PROGRAM = "server-a"


def _run() -> click.Command:
    from server_a.run.command import run_command

    return run_command


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
    {"run": _run, "user": _user, "sku": _sku, "cart": _cart, "purge": _purge},
)
group.add_command(status_command(PROGRAM))


@group.command("check")
@endpoint_options(PROGRAM)
@peer_options(PROGRAM, "server-b", "Server-b's URL: tell whether data written here shows up there.")
@option(PROGRAM, "--count", type=WholeNumber(1, MAX_COUNT), default=DEFAULTS["count"], help="Numbers to find room for.")
@json_option(PROGRAM)
def check_command(common: CommonSettings, peer: EndpointSettings | None, count: int, *, as_json: bool) -> int:
    """Show what is at the URL and whether server-a can do its job there; exits with 0 only when it can.

    Exits with 77 when a permission is missing, 75 when there is no room or the peer is not connected, 78 at a replica
    or a cache that may evict any key. Nothing is written except, with --peer-url, 20 probe keys that are removed. The
    peer's password comes from --peer-password-file, its URL, SERVER_B_PASSWORD or SERVER_B_PASSWORD_FILE, and that of
    its Sentinels from SERVER_B_SENTINEL_PASSWORD or SERVER_B_SENTINEL_PASSWORD_FILE.

    Example: server-a check --count 1000000 --peer-url redis://replica.example:6379/0
    """
    from server_a.check.check import check
    from shared.check.text import findings_text

    findings = check(common, count=count, peer_settings=peer)
    say_outcome(json_text(findings.as_json()) if as_json else findings_text(findings))
    return findings.exit_code


def main() -> None:
    """Run server-a and end the process."""
    run_program(group, PROGRAM)
