"""Opens the shop that a command works in.

The commands have no patience: whoever types one sees at once what is wrong and types it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from server_a.shop.carts import CartChanger
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.errors import TransientError
from shared.program.options import CommonSettings


@contextmanager
def open_shop(common: CommonSettings) -> Iterator[Shop]:
    """Open the shop for the time of the block.

    Raises:
        HandoverError: The endpoint can't be used, or was lost on the way, which is final here.
    """
    endpoint = open_endpoint(common.endpoint)
    try:
        yield Shop(endpoint, common.keys)
    except TransientError as error:
        raise error.lasting() from error
    finally:
        endpoint.close()


@contextmanager
def open_carts(common: CommonSettings) -> Iterator[tuple[Shop, CartChanger]]:
    """Open the shop, and with it what changes its carts; otherwise as `open_shop`."""
    with open_shop(common) as shop:
        yield shop, CartChanger(shop)
