"""The shop on the command line: one group of commands each for users, SKUs and carts.

They were cut by record rather than by verb, so that each file holds all that can be done to one kind of record.
"""

from __future__ import annotations

from server_a.cart_commands import cart
from server_a.sku_commands import sku
from server_a.user_commands import user

__all__ = ["cart", "sku", "user"]
