"""`server-a purge`: shows what would be removed, asks, and removes it."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from shared.errors import InvalidInputError
from shared.program.help import SectionedCommand
from shared.program.options import CommonSettings, endpoint_options, option
from shared.program.output import ask, say, say_outcome

PROGRAM = "server-a"


@click.command("purge", cls=SectionedCommand)
@endpoint_options(PROGRAM)
@option(PROGRAM, "--dry-run", is_flag=True, help="Only show what would be removed.")
@option(PROGRAM, "--shop", is_flag=True, help="Remove users, SKUs and carts too.")
@option(PROGRAM, "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def purge(common: CommonSettings, *, dry_run: bool, shop: bool, yes: bool) -> None:
    """Show what server-a and server-b wrote under the namespace, and remove it, and nothing else.

    What a key holds decides, never its name alone. With --shop a cart is removed only if its user and SKUs are
    ours, too; a list being written is left and ends within the hour. It needs the permissions of deploy/acl/purge.acl.

    Example: server-a purge --namespace shop1 --dry-run
    """
    from server_a.purge.purge import Purge
    from shared.endpoint.opening import open_endpoint

    if not yes and not dry_run and not sys.stdin.isatty():
        raise InvalidInputError(where="purge", expected="--yes, or a terminal to ask on", got="neither")
    with closing(open_endpoint(common.endpoint)) as endpoint:
        purging = Purge(endpoint, common.keys, with_shop=shop)
        purging.require_permissions()
        found = purging.survey()
        # whoever has said yes need not read on; who is to be asked must
        (say_outcome if yes else say)(found.text(with_shop=shop))
        if dry_run:
            return
        namespace = f"namespace {common.keys.namespace}" if common.keys.namespace else "no namespace"
        question = f"Remove everything server-a and server-b wrote at {endpoint.name}, {namespace}?"
        if not yes and not ask(question):
            say("Nothing was removed.")
            return
        gone = purging.remove(found)
    removed, emptied = gone.keys, len(gone.emptied)
    streams = f", emptied {emptied} {'stream' if emptied == 1 else 'streams'}" if emptied else ""
    say_outcome(f"Removed {removed:,} {'key' if removed == 1 else 'keys'}{streams}.")
