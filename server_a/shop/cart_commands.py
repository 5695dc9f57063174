"""`server-a cart`: add to carts, remove from them, show them.

A change is reported before the cart is read again, and a connection that is lost then does not fail it: whoever is told
that it failed makes it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from shared.errors import TransientError
from shared.program.group import CommandGroup
from shared.program.options import CommonSettings, endpoint_options, option
from shared.program.output import say, tell
from shared.shop.cart_text import TIMES, cart_text
from shared.shop.record_checks import checked_id, checked_quantity
from shared.text import shown_text

if TYPE_CHECKING:
    from shared.shop.records import Cart


@click.group(cls=CommandGroup)
def cart() -> None:
    """Add to carts, remove from them, show them."""


@cart.command("add")
@click.argument("user_id", metavar="USER")
@click.argument("sku_id", metavar="SKU")
@option("server-a", "--quantity", default="1", metavar="Q", help="1 to 1000000; a line never holds more than that.")
@endpoint_options("server-a")
def add_to_cart(common: CommonSettings, user_id: str, sku_id: str, quantity: str) -> None:
    """Add pieces of a SKU to the cart of a user, then show the cart.

    Example: server-a cart add 1 sku123 --quantity 2
    """
    from server_a.shop.carts import CartChanger
    from server_a.shop.shop import open_shop

    pieces = _checked(user_id, sku_id, quantity)
    with open_shop(common) as shop:
        name = shop.name_of_sku(sku_id)
        CartChanger(shop).add(user_id, sku_id, pieces)
        say(f"Added {pieces:,} {TIMES} {shown_text(name)} to cart {user_id}.")
        _show_changed(lambda: shop.cart(user_id))


@cart.command("remove")
@click.argument("user_id", metavar="USER")
@click.argument("sku_id", metavar="SKU")
@option("server-a", "--quantity", default="1", metavar="Q", help="1 to 1000000; the line goes with its last piece.")
@endpoint_options("server-a")
def remove_from_cart(common: CommonSettings, user_id: str, sku_id: str, quantity: str) -> None:
    """Remove pieces of a SKU from the cart of a user, then show the cart.

    Example: server-a cart remove 1 sku123
    """
    from server_a.shop.carts import CartChanger
    from server_a.shop.shop import open_shop

    pieces = _checked(user_id, sku_id, quantity)
    with open_shop(common) as shop:
        name = shown_text(shop.name_of_sku(sku_id))
        removed = CartChanger(shop).remove(user_id, sku_id, pieces).quantity
        say(f"Removed {f'{removed:,} {TIMES}' if removed else 'the line of'} {name} from cart {user_id}.")
        _show_changed(lambda: shop.cart_of_anyone(user_id))


@cart.command("show")
@click.argument("user_id", metavar="USER")
@endpoint_options("server-a")
def show_cart(common: CommonSettings, user_id: str) -> None:
    """Show the cart of a user with its lines and total.

    Example: server-a cart show 1
    """
    from server_a.shop.shop import open_shop

    checked_id("user ID", user_id)
    with open_shop(common) as shop:
        say(cart_text(shop.cart(user_id)))


def _show_changed(read: Callable[[], Cart]) -> None:
    """Show a cart after a change, if the connection is not lost meanwhile."""
    try:
        say(cart_text(read()))
    except TransientError as error:
        tell(shown_text(f"server-a: {error}; the cart is changed, and can't be shown"))


def _checked(user_id: str, sku_id: str, quantity: str) -> int:
    checked_id("user ID", user_id)
    checked_id("SKU ID", sku_id)
    return checked_quantity("--quantity", quantity)
