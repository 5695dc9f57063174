"""`cart add` and `cart remove` as programs: the exit code tells of the change, not of the cart shown after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.keys import Keyspace
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import link
from tests.stage.programs import run_program
from tests.stage.shop_fixtures import endpoint, keys, shop

if TYPE_CHECKING:
    import redis

    from server_a.shop.shop import Shop

__all__ = ["endpoint", "keys", "link", "shop"]


@pytest.mark.parametrize(("change", "done", "left"), [("add", "Added 1", b"2"), ("remove", "Removed 1", None)])
def test_a_change_that_is_made_is_no_failure_though_the_cart_can_not_be_shown(
    *, change: str, done: str, left: bytes | None, shop: Shop, link: FaultyLink, client: redis.Redis, keys: Keyspace
) -> None:
    """A script that tried again would change the cart twice."""
    link.at(resp("EXEC"), lambda: link.at(b"SCAN\r", lambda: None, is_forwarded=False))
    ended = run_program("server-a", "cart", change, "1", "sku123", server=link.url, namespace=keys.namespace)
    assert client.hget(keys.cart("1"), "sku123") == left
    assert ended.exit_code == 0, ended
    assert ended.stdout.startswith(f"{done} "), ended
    assert ended.stderr.count("\n") == 1, ended
    assert "the cart is changed, and can't be shown" in ended.stderr
