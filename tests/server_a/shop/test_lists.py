"""`user list` and `sku list` among many keys of others: the server tells their types, so none of them is asked for."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.shop.shop import Shop
from shared.endpoint.opening import open_endpoint
from shared.endpoint.scanning import COUNT, names_with
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.servers import connect
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

KEYS = Keyspace()
FOREIGN_KEYS = 30_000
MAKERS = {
    "string": "redis.call('SET', name, 'x')",
    "list": "redis.call('RPUSH', name, 'x')",
    "set": "redis.call('SADD', name, 'x')",
    "zset": "redis.call('ZADD', name, 1, 'x')",
    "stream": "redis.call('XADD', name, '*', 'x', 'x')",
}


def _fill(client: redis.Redis, make: str, beginning: str) -> None:
    client.eval(f"for i = 1, {FOREIGN_KEYS} do local name = '{beginning}' .. i; {make} end", 0)


@pytest.mark.parametrize("kind", MAKERS)
def test_keys_of_other_types_named_like_records_cost_only_their_share_of_the_scan(
    kind: str, own_server: Server
) -> None:
    with connect(own_server) as client:
        for beginning in ("user:", "sku:"):
            _fill(client, MAKERS[kind], beginning)
        client.hset("user:u1", mapping={"first_name": "Parker", "last_name": "Perry"})
        client.hset("sku:s1", mapping={"name": "Lamp", "price": "10.00"})
    with TurnCounter(own_server.port) as counter:
        with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as endpoint:
            shop = Shop(endpoint, KEYS)
            assert [user.user_id for user in shop.users()] == ["u1"]
            assert [sku.sku_id for sku in shop.skus()] == ["s1"]
        scans = 2 * FOREIGN_KEYS / COUNT * 2  # of two lists, each over the keys of both kinds
        assert counter.times("HMGET") == 2, str(counter)  # 30,001 each, where names alone are matched
        assert counter.times("SCAN") <= scans * 1.6 + 2, str(counter)


NAMES = ["user:1", "sku:a", "cart:9", "run:1", "canary:x", "biglist", "biglist:2", "{biglist}:state", "{signals}:dead"]


@pytest.mark.parametrize("prefix", ["", "shop1:", "a-b:", "-:", "A_9:", "z-a:"])
def test_a_pattern_of_several_beginnings_matches_all_of_them_and_little_else(prefix: str, own_server: Server) -> None:
    beginnings = [name.replace("{", "{" + prefix, 1) if "{" in name else prefix + name for name in NAMES]
    others = ["foreign:1", "x", "session:1", "queue:mail", "tests:user:1", "-", "]", "user", "}", "[a", "\\a"]
    with connect(own_server) as client:
        client.mset(dict.fromkeys([*beginnings, *others, *(f"{name}more" for name in beginnings)], "x"))
        found = {key.decode() for key in client.scan_iter(names_with(beginnings), count=1_000)}
    assert found == {*beginnings, *(f"{name}more" for name in beginnings)}
