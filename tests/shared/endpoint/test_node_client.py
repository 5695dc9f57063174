"""Which key a command is about, for the error when that holds something of another type."""

from __future__ import annotations

from typing import Any

import pytest

from shared.endpoint.node_client import key_of


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ((), ""),
        (("GET", "a"), "a"),
        (("GET", b"a"), "a"),
        (("GET", b"a\xff"), "a\\xff"),
        (("HSET", "cart:1", "sku123", "2"), "cart:1"),
        (("XGROUP CREATE", "signals", "server-b", "0"), "signals"),
        (("XINFO GROUPS", "signals"), "signals"),
        (("XREAD", b"COUNT", 10, b"STREAMS", "signals", "0-0"), "signals"),
        (("XREADGROUP", "GROUP", "server-b", "b1", b"COUNT", 1, b"STREAMS", "signals", ">"), "signals"),
        (("XREADGROUP", "GROUP", "server-b", "b1"), ""),
        (("EVAL", "return 1", 1, "a"), "a"),
        (("EVAL", "return 1", 0), ""),
        (("TIME",), ""),
        (("PING",), ""),
        (("CLUSTER SLOTS",), ""),
    ],
)
def test_the_key_of_a_command(command: tuple[Any, ...], key: str) -> None:
    assert key_of(command) == key
