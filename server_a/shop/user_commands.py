"""`server-a user`: create, show, list and remove users.

Whatever needs redis is imported when a command runs, so that `--help` comes back at once.
"""

from __future__ import annotations

import click

from server_a.shop.record_text import user_line, user_text
from shared.program.options import CommonSettings, endpoint_options, option
from shared.shop.record_checks import checked_id, checked_name
from shared.shop.records import User


@click.group()
def user() -> None:
    """Create, show, list and remove users."""


@user.command("add")
@click.argument("user_id", metavar="ID")
@option("server-a", "--first-name", required=True, metavar="F", help="1 to 200 characters.")
@option("server-a", "--last-name", required=True, metavar="L", help="1 to 200 characters.")
@endpoint_options("server-a")
def add_user(common: CommonSettings, user_id: str, first_name: str, last_name: str) -> None:
    """Create a user, or give an existing one another name.

    ID is 1 to 64 of A-Z a-z 0-9 _ - (after -- when it begins with -).

    Example: server-a user add 2 --first-name Ada --last-name Lovelace
    """
    from server_a.shop.opening import open_shop

    record = User(
        user_id=checked_id("user ID", user_id),
        first_name=checked_name("--first-name", first_name),
        last_name=checked_name("--last-name", last_name),
    )
    with open_shop(common) as shop:
        is_new = shop.write_user(record)
    click.echo(f"{'Added' if is_new else 'Changed'} user {user_id}: {record.full_name}.")


@user.command("show")
@click.argument("user_id", metavar="ID")
@endpoint_options("server-a")
def show_user(common: CommonSettings, user_id: str) -> None:
    """Show a user with every field, also those that someone else stored.

    Example: server-a user show 1
    """
    from server_a.shop.opening import open_shop

    checked_id("user ID", user_id)
    with open_shop(common) as shop:
        click.echo(user_text(shop.user(user_id)))


@user.command("list")
@endpoint_options("server-a")
def list_users(common: CommonSettings) -> None:
    """List all users, one a line.

    Example: server-a user list
    """
    from server_a.shop.opening import open_shop

    with open_shop(common) as shop:
        for record in shop.users():
            click.echo(user_line(record))


@user.command("remove")
@click.argument("user_id", metavar="ID")
@endpoint_options("server-a")
def remove_user(common: CommonSettings, user_id: str) -> None:
    """Remove a user, and the user's cart with it.

    Example: server-a user remove 2
    """
    from server_a.shop.opening import open_shop

    checked_id("user ID", user_id)
    with open_shop(common) as shop:
        shop.remove_user(user_id)
    click.echo(f"Removed user {user_id} and their cart.")
