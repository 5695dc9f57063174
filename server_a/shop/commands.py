"""The shop on the command line: one group of commands each for users, SKUs and carts.

They were cut by record rather than by verb, so that each file holds all that can be done to one kind of record.
"""

from __future__ import annotations

from server_a.shop.cart_commands import cart
from server_a.shop.sku_commands import sku
from server_a.shop.user_commands import user

__all__ = ["cart", "sku", "user"]
