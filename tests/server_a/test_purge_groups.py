"""Groups that others have in our streams: `server-a purge` empties such a stream and leaves it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.foreign_keys import LETTER
from tests.stage.hand_over_in_process import HandOver
from tests.stage.inside import run_inside

if TYPE_CHECKING:
    import redis

SEEDS = range(25)
NAMES = ["workers", "Server-B", "server-b2", "g", "ä", "0", "\x1b[31mred", "server-b "]


def _with_groups(client: redis.Redis, stream: str, rng: random.Random) -> None:
    """Let others read in a stream: groups at any place, with pending entries and consumers that have none."""
    for group in rng.sample(NAMES, rng.randint(1, 5)):
        client.xgroup_create(stream, group, id=rng.choice(["0", "$"]))
        client.xgroup_createconsumer(stream, group, "idle")
        if rng.random() < 0.7:
            client.xreadgroup(group, "busy", {stream: ">"}, count=rng.randint(1, 3))


def _groups(client: redis.Redis, stream: str) -> dict[bytes, tuple[Any, ...]]:
    """Return what the groups of others know: how far they are, their consumers, and what is pending with whom."""
    return {
        found["name"]: (
            found["last-delivered-id"], found["pending"], client.xpending(stream, found["name"]),
            [(named["name"], named["pending"]) for named in client.xinfo_consumers(stream, found["name"])],
        )
        for found in client.xinfo_groups(stream)
        if found["name"] != CONSUMER_GROUP.encode()
    }  # fmt: skip


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_groups_of_others_outlive_a_purge(
    *, seed: int, is_read: bool, hand_over: HandOver, server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    rng = random.Random(seed)
    hand_over.produce(count=30, segment_values=10)
    if is_read:
        hand_over.consume()
    client.xadd(keys.dead_letters(), LETTER)  # type: ignore[arg-type]
    streams = rng.choice([[keys.signals()], [keys.dead_letters()], [keys.signals(), keys.dead_letters()]])
    for stream in streams:
        _with_groups(client, stream, rng)
    before = {stream: _groups(client, stream) for stream in streams}
    options = ("--shop", "--url", server.url, "--namespace", keys.namespace)
    shown = run_inside("server-a", "purge", "--dry-run", *options)
    assert shown.stdout.count("emptied and stays, since others have groups in it") == len(streams), shown.stdout
    assert "\x1b" not in shown.stdout
    ended = run_inside("server-a", "purge", "--yes", *options)
    assert ended.exit_code == 0, ended
    assert f"emptied {len(streams)} stream" in ended.stdout
    assert set(client.scan_iter(f"*{keys.prefix}*")) == {stream.encode() for stream in streams}
    assert {stream: (client.xlen(stream), _groups(client, stream)) for stream in streams} == {
        stream: (0, found) for stream, found in before.items()
    }
    again = run_inside("server-a", "purge", "--yes", *options)
    assert again.stdout.splitlines()[-1] == "Removed 0 keys.", again.stdout
    summary = hand_over.produce(count=10)
    assert hand_over.consume().run_id == summary.run_id
