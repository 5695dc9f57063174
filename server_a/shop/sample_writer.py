"""Writes the sample shop, or a generated one of any size, in pipelines.

Every command is an HSET with absolute values, so writing again changes nothing; fields and carts that people added
stay. A large shop is written in portions, so that a fault repeats one portion and not the whole shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import chain, islice

from server_a.shop.sample import sample_cart, sample_name, sample_sku
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command
from shared.endpoint.pipelined import send_pipelined
from shared.endpoint.retry import Retry
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.shop.records import User
from shared.stopping import StopRequest

PORTION_COMMANDS = 20_000


def check_shop_size(*, users: int, skus: int, carts: int) -> None:
    """Raise InvalidInputError if there are more carts than users, or carts but no SKUs."""
    if carts > users:
        expected, advice = (
            f"at most the {users} of --users",
            "each cart belongs to a user; raise --users or lower --carts",
        )
        raise InvalidInputError(where="--carts", expected=expected, got=str(carts), advice=advice)
    if carts and not skus:
        advice = "carts hold SKUs; give --carts 0 too"
        raise InvalidInputError(where="--skus", expected="at least 1 with --carts", got="0", advice=advice)


def write_shop(
    endpoint: Endpoint,
    keys: Keyspace,
    *,
    users: int,
    skus: int,
    carts: int,
    seed: int,
    retry: Retry | None = None,
    stop: StopRequest | None = None,
) -> None:
    """Write the first so many SKUs, users and carts of the shop that a seed generates; see `check_shop_size`.

    Without `retry` a fault is raised; with it the portion is repeated. A stop request is noticed between two portions.

    Redis: One HSET a record, 1,000 a round trip, two in flight.
    """
    commands = _commands(keys, users=users, skus=skus, carts=carts, seed=seed)
    while portion := list(islice(commands, PORTION_COMMANDS)):
        if stop is not None:
            stop.check("shop")
        if retry is None:
            send_pipelined(endpoint, portion)
        else:
            retry.keep_trying(send_pipelined, endpoint, portion)


def _commands(keys: Keyspace, *, users: int, skus: int, carts: int, seed: int) -> Iterator[Command]:
    """Yield the HSET of each record: SKUs before the carts that hold them, users before the carts they own."""
    for number in range(1, skus + 1):
        sku = sample_sku(seed, number)
        yield "HSET", keys.sku(sku.sku_id), *_flat(sku.encode())
    for number in range(1, users + 1):
        yield "HSET", keys.user(str(number)), *_name_fields(*sample_name(seed, number))
    for number in range(1, carts + 1):
        yield "HSET", keys.cart(str(number)), *_flat(sample_cart(seed, number, skus=skus))


@cache  # of the 1,600 names, which halves the time that generating users takes
def _name_fields(first_name: str, last_name: str) -> tuple[str | int, ...]:
    return tuple(_flat(User("", first_name, last_name).encode()))


def _flat(fields: dict[str, str] | dict[str, int]) -> Iterator[str | int]:
    return chain.from_iterable(fields.items())
