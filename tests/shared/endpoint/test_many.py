"""Many commands in one round trip: the replies in order, whatever server each is of, and the first error."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.many import ask_many
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from tests.stage.shop_fixtures import endpoint, keys
from tests.stage.turns import QUIET_S, TurnCounter

if TYPE_CHECKING:
    import redis

__all__ = ["endpoint", "keys"]


@pytest.mark.parametrize("seed", range(50))
def test_replies_stand_where_their_commands_do(
    seed: int, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    rng, commands, expected = random.Random(seed), list[tuple[str, ...]](), list[Any]()
    for number in range(rng.randint(0, 300)):
        key = keys.user(str(number))
        match rng.randint(0, 2):
            case 0:
                client.rpush(key, *"x" * (1 + number % 7))
                commands.append(("LLEN", key))
                expected.append(1 + number % 7)
            case 1:
                client.hset(key, "name", f"{number}\r\n")
                commands.append(("HMGET", key, "name", "none"))
                expected.append([b"%d\r\n" % number, None])
            case _:
                commands.append(("XRANGE", key, "0-1", "0-1"))
                client.xadd(key, {"n": number}, id="0-1")
                expected.append([[b"0-1", [b"n", b"%d" % number]]])
    assert ask_many(endpoint, commands) == expected


def test_a_key_of_another_type_is_named_and_nothing_is_left_behind(
    endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    client.rpush(keys.user("1"), "x")
    client.set(keys.user("2"), "a string")
    commands = [("LLEN", keys.user("1")), ("LLEN", keys.user("2")), *[("LLEN", keys.user("1"))] * 100]
    for _ in range(5):
        with pytest.raises(WrongKeyError) as caught:
            ask_many(endpoint, commands)
        assert caught.value.where.startswith(keys.user("2"))
        assert ask_many(endpoint, commands[:1]) == [1]


def test_a_thousand_take_one_round_trip(server: Server, keys: Keyspace) -> None:
    with (
        TurnCounter(server.port, quiet_s=QUIET_S) as counter,
        closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as own,
    ):
        before = counter.turns
        assert ask_many(own, [("LLEN", keys.user(str(number))) for number in range(1_000)]) == [0] * 1_000
        assert counter.turns - before <= 2, str(counter)  # the second logs in, where a connection is new
