"""Entries of others between our dead letters: no command and no verdict removes them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import Signal
from tests.stage.foreign_keys import LETTER, fields, spoilt
from tests.stage.hand_over_in_process import OLDER, HandOver, entries_of
from tests.stage.inside import run_inside

if TYPE_CHECKING:
    import redis


def _theirs(rng: random.Random, signal: Signal) -> dict[Any, Any]:
    """Return an entry of others; some come close to a letter about an older attempt at a published segment."""
    about = {f"field:{name}": value for name, value in signal.encode().items()}
    near = spoilt(rng, LETTER, ("origin",))
    if rng.random() < 0.5:
        near = {"origin": "1-1", "consumer": "c"}
    return rng.choice([fields(rng), about, about | near, near])


@pytest.mark.parametrize("command", [("dead", "list"), ("dead", "drop"), ("dead", "retry"), ("run", "--once")])
@pytest.mark.parametrize("seed", range(25))
def test_entries_of_others_stay(
    *, seed: int, command: tuple[str, ...], hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    run_id = hand_over.produce(count=10).run_id
    about = Signal(run_id, OLDER, 1, 1, 10, "0" * 32)
    client.xadd(keys.dead_letters(), LETTER)  # type: ignore[arg-type]
    theirs = {client.xadd(keys.dead_letters(), _theirs(rng, about)) for _ in range(rng.randint(1, 9))}
    client.xadd(keys.dead_letters(), LETTER)  # type: ignore[arg-type]
    before = [entry for entry in entries_of(client, keys.dead_letters()) if entry[0].encode() in theirs]
    assert len(before) == len(theirs)
    ended = run_inside("server-b", *command, "--url", server.url, "--namespace", keys.namespace)
    assert ended.exit_code == 0, ended
    left = entries_of(client, keys.dead_letters())
    assert [entry for entry in left if entry[0].encode() in theirs] == before
    assert len(left) - len(theirs) == (0 if command[-1] in ("drop", "retry") else 2)
    if command[-1] == "list":
        assert ended.stdout.splitlines()[-1].startswith(f"{len(theirs)} entr")
        assert len(ended.stdout.splitlines()) == 3
    if command[-1] == "retry":
        assert client.xlen(keys.signals()) == 1, "letters without fields of their own signal nothing"
