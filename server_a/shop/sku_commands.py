"""`server-a sku`: create, show, list and remove SKUs.

Whatever needs redis is imported when a command runs, so that `--help` comes back at once.
"""

from __future__ import annotations

import click

from server_a.shop.record_text import price_text, sku_line, sku_text
from shared.program.options import CommonSettings, endpoint_options, option
from shared.shop.record_checks import checked_id, checked_name, checked_price
from shared.shop.records import Sku


@click.group()
def sku() -> None:
    """Create, show, list and remove SKUs: what the shop sells."""


@sku.command("add")
@click.argument("sku_id", metavar="ID")
@option("server-a", "--name", required=True, metavar="N", help="1 to 200 characters.")
@option("server-a", "--price", required=True, metavar="P", help="0.00 to 999999999.99, at most two decimal places.")
@endpoint_options("server-a")
def add_sku(common: CommonSettings, sku_id: str, name: str, price: str) -> None:
    """Create a SKU, or give an existing one another name and price.

    ID is 1 to 64 of A-Z a-z 0-9 _ - (after -- when it begins with -).

    Example: server-a sku add sku789 --name "USB-C Cable" --price 12.50
    """
    from server_a.shop.opening import open_shop

    record = Sku(
        sku_id=checked_id("SKU ID", sku_id),
        name=checked_name("--name", name),
        price=checked_price("--price", price),
    )
    with open_shop(common) as shop:
        is_new = shop.write_sku(record)
    click.echo(f"{'Added' if is_new else 'Changed'} SKU {sku_id}: {name} at {price_text(record)}.")


@sku.command("show")
@click.argument("sku_id", metavar="ID")
@endpoint_options("server-a")
def show_sku(common: CommonSettings, sku_id: str) -> None:
    """Show a SKU with every field, also those that someone else stored.

    Example: server-a sku show sku123
    """
    from server_a.shop.opening import open_shop

    checked_id("SKU ID", sku_id)
    with open_shop(common) as shop:
        click.echo(sku_text(shop.sku(sku_id)))


@sku.command("list")
@endpoint_options("server-a")
def list_skus(common: CommonSettings) -> None:
    """List all SKUs with their prices, one a line.

    Example: server-a sku list
    """
    from server_a.shop.opening import open_shop

    with open_shop(common) as shop:
        for record in shop.skus():
            click.echo(sku_line(record))


@sku.command("remove")
@click.argument("sku_id", metavar="ID")
@endpoint_options("server-a")
def remove_sku(common: CommonSettings, sku_id: str) -> None:
    """Remove a SKU; carts that hold it show the line as no longer sold.

    Example: server-a sku remove sku789
    """
    from server_a.shop.opening import open_shop

    checked_id("SKU ID", sku_id)
    with open_shop(common) as shop:
        shop.remove_sku(sku_id)
    click.echo(f"Removed SKU {sku_id}.")
