"""Nobody else's data is touched: every command that writes, against random foreign keys under our names.

What each holds is compared byte for byte before and after.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_a.purge.purge import Purge
from server_b.group.dead_letters import DeadLetters
from shared.endpoint.endpoint import Endpoint
from shared.errors import HandoverError, NotFinishedError, WrongKeyError
from shared.keys import Keyspace
from tests.stage.foreign_keys import make_foreign, snapshot
from tests.stage.hand_over_in_process import RUN, HandOver
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

NO_SHOP: dict[str, Any] = {"users": 0, "skus": 0, "carts": 0}
ONCE: dict[str, Any] = {"wait_s": 0.0, "settle_s": 0.0, "claim_idle_ms": 100}
SEEDS = range(60)
BESIDE = ["run", "result", "reading", "canary", "user", "sku", "cart", "staging"]
REFUSED_BY = {"signals": ("a", "b", "dead"), "dead_letters": ("b", "dead"), "state": ("a",), "segment": ("a",)}
"""Which programs end with 78 at a foreign key of a kind."""


def _every_command(hand_over: HandOver, endpoint: Endpoint) -> dict[str, HandoverError | None]:
    """Carry out whatever writes, and return how each ended."""
    keys = hand_over.keys
    purge = Purge(endpoint, keys, with_shop=True)
    commands: dict[str, Callable[[], object]] = {
        "b": lambda: hand_over.consume(**ONCE),
        "dead": lambda: DeadLetters(endpoint, keys).require_ours(),
        "a": lambda: hand_over.produce(count=10, **NO_SHOP),
        "resume": lambda: hand_over.produce(resume=RUN),
        "purge": lambda: purge.remove(purge.survey()),
    }
    ended: dict[str, HandoverError | None] = {}
    for name, command in commands.items():
        ended[name] = None
        try:
            command()
        except HandoverError as error:
            ended[name] = error
    return ended


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["signals", "dead_letters", "state", "segment"])
def test_what_is_in_the_way_is_left_as_it_is_and_named(
    *, kind: str, seed: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    key = make_foreign(client, keys, kind, random.Random(seed))
    before = snapshot(client, [key])
    ended = _every_command(hand_over, endpoint)
    assert snapshot(client, [key]) == before, ended
    refused = {name for name in ("a", "b", "dead") if isinstance(ended[name], WrongKeyError)}
    assert refused == set(REFUSED_BY[kind]), ended
    for name in refused:
        error = ended[name]
        assert error is not None
        assert "--namespace" in error.advice, error
        assert key in error.where
    assert ended["purge"] is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_foreign_keyspace_survives_every_command(
    *, seed: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    kinds = ["signals", "dead_letters", "state", "segment", *BESIDE]
    names = [make_foreign(client, keys, kind, rng) for kind in rng.sample(kinds, rng.randint(4, len(kinds)))]
    before = snapshot(client, names)
    _every_command(hand_over, endpoint)
    assert snapshot(client, names) == before


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", BESIDE)
def test_purge_removes_what_is_ours_beside_foreign_keys(
    *, kind: str, seed: int, hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    key = make_foreign(client, keys, kind, random.Random(seed))
    before = snapshot(client, [key])
    purge = Purge(endpoint, keys, with_shop=True)
    survey = purge.survey()
    assert purge.remove(survey).keys == survey.keys > 0
    assert snapshot(client, [key]) == before
    assert set(client.scan_iter(f"*{keys.prefix}*")) == {key.encode()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("server-a", ("run", "--count", "10")), ("server-a", ("check",)), ("server-b", ("run", "--once")),
        ("server-b", ("check",)), ("server-b", ("dead", "list")), ("server-b", ("dead", "retry")),
        ("server-b", ("dead", "drop")),
    ],
)  # fmt: skip
def test_a_foreign_stream_ends_every_program_with_78(
    *, program: str, command: tuple[str, ...], seed: int, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    key = make_foreign(client, keys, "signals", random.Random(seed))
    before = snapshot(client, [key])
    ended = run_program(program, *command, server=server, namespace=keys.namespace)  # type: ignore[arg-type]
    assert ended.exit_code == 78, ended
    assert "--namespace" in ended.stderr + ended.stdout
    assert snapshot(client, [key]) == before


@pytest.mark.parametrize("group", ["workers", "server-b"])
def test_an_empty_stream_is_ours_unless_only_others_have_groups_in_it(
    group: str, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    client.xgroup_create(keys.signals(), group, mkstream=True)
    before = snapshot(client, [keys.signals()])
    with suppress(WrongKeyError, NotFinishedError):
        hand_over.produce(count=10)
    assert (snapshot(client, [keys.signals()]) == before) == (group == "workers")
