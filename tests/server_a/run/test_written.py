"""What a run is said to write into Redis, against what a run of that size has there afterwards."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from demo.servers import Server
from server_a.run.new_run import record_of
from server_a.run.settings import RunSettings
from server_a.run.values import NumberSource
from server_a.run.written import written
from shared.check.permissions import ANY_TOKEN
from shared.check.sizes import Sizes
from shared.keys import Keyspace
from tests.stage.check_runs import check
from tests.stage.runs import produce
from tests.stage.servers import connect

MARGINS = {"segment": 0.02, "state": 0.1, "user": 0.1, "sku": 0.1, "cart": 0.1, "signals": 0.2, "run": 0.35}
NOT_SAID_BYTES = 40
"""What MEMORY USAGE leaves out of a key at most: its place in the table of keys, and what the allocator rounds up."""


def there(server: Server, keys: Keyspace) -> tuple[Counter[str], Counter[str]]:
    """Return how many keys of each kind there are, and what the server says they take."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    with connect(server) as client:
        for key in client.scan_iter(count=1_000):
            kind = str(keys.kind_of(key.decode()))
            usage: Any = client.memory_usage(key, samples=0)
            counts[kind] += 1
            sizes[kind] += int(usage)
    return counts, sizes


def leave_samples(server: Server, count: int) -> None:
    """Leave as many samples in the run's record as are said; a slower run than assumed notes more, a quicker one less.

    The record is written anew, since a hash keeps the room, and the form, that it needed for more.
    """
    with connect(server) as client:
        (key,) = client.scan_iter("run:*", count=1_000)
        record: Any = client.hgetall(key)
        samples, said = json.loads(record[b"samples"]), 2 + count // 100_000
        left = (samples + said * samples[-1:])[:said]
        with client.pipeline() as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping={**record, b"samples": json.dumps(left, separators=(",", ":"))})
            pipeline.pexpire(key, client.pttl(key))
            pipeline.execute()


def compare(found: dict[str, tuple[int, int]], server: Server) -> None:
    """Compare what was said with what is there."""
    counts, sizes = there(server, Keyspace())
    assert {kind: keys for kind, (keys, _) in found.items() if keys} == dict(counts)
    wrong = {
        kind: (size, sizes[kind])
        for kind, (keys, size) in found.items()
        if abs(size - sizes[kind]) > MARGINS[kind] * sizes[kind] + NOT_SAID_BYTES * keys
    }
    assert not wrong, "said and seen"


@pytest.mark.parametrize("count", ["10000", "1200000"])
def test_check_says_what_run_writes(own_server: Server, count: str) -> None:
    code, found = check("server-a", own_server, "--count", count)
    produce(own_server.url, "--count", count)
    leave_samples(own_server, int(count))
    assert code == 0
    compare({each["kind"]: (each["keys"], each["bytes"]) for each in found["written"]}, own_server)


def test_a_large_shop_and_many_segments(own_server: Server) -> None:
    options = "--count 120000 --segment-values 5000 --users 500 --skus 300 --carts 200"
    produce(own_server.url, *options.split())
    leave_samples(own_server, 120_000)
    settings = RunSettings(count=120_000, segment_values=5_000, users=500, skus=300, carts=200)
    source = NumberSource(120_000)
    with connect(own_server) as client:
        sizes = Sizes("valkey" if "valkey_version" in client.info("server") else "redis")
    said = written(Keyspace(), record_of(settings, source, ANY_TOKEN), source, sizes)
    compare({each.kind: (each.keys, each.bytes) for each in said}, own_server)
