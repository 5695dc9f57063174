"""A page's looks at a large run: few commands where nothing has become, and in the end what one whole look finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from demo.servers import Server
from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace
from shared.page import open_segments
from shared.page.collecting import Collector
from shared.page.facts import PageFacts
from tests.stage.hand_over_in_process import HandOver
from tests.stage.servers import connect

pytestmark = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
SEGMENTS, MOST = 60, 20


@pytest.fixture
def collector(endpoint: Endpoint, keys: Keyspace, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """A collector to which 60 segments are many."""
    for name, value in (("FEW", 10), ("LOWEST", 2), ("IN_TURN", 3)):
        monkeypatch.setattr(open_segments, name, value)
    return Collector(endpoint, keys, is_encrypted=False, most_open=MOST)


def test_several_looks_see_all_and_then_only_what_moves(
    collector: Collector, hand_over: HandOver, server: Server
) -> None:
    hand_over.produce(count=SEGMENTS, segment_values=1)
    looks = list(_looks(collector))
    assert looks[0].notes == (f"{SEGMENTS - MOST} of {SEGMENTS} segments",)
    assert len(looks) >= SEGMENTS // MOST
    assert looks[-1].run is not None
    assert looks[-1].run.published == SEGMENTS
    before = _read(server)
    collector.look()
    assert _read(server) - before <= 2 + 3  # of 60 without a verdict
    hand_over.consume()
    *_, seen = _looks(collector)
    whole = Collector(collector.endpoint, collector.keys, is_encrypted=False).look()
    assert seen.run is not None
    assert seen.run.verdict == "verified"
    assert seen.run == whole.run


def test_what_was_seen_before_the_audit_is_read_again(
    collector: Collector, hand_over: HandOver, server: Server
) -> None:
    run_id = hand_over.produce(count=SEGMENTS, segment_values=1).run_id
    with connect(server) as client:
        client.hset(collector.keys.run(run_id), "finished_ms", "0")
        hand_over.consume()
        *_, seen = _looks(collector)
        assert seen.run is not None
        assert seen.run.verified == SEGMENTS
        client.hdel(collector.keys.result(run_id), "7")  # as after a failover
        client.hset(collector.keys.run(run_id), "finished_ms", "1700000000000")
    *_, seen = _looks(collector)
    assert seen.run is not None
    assert (seen.run.verified, seen.run.verdict) == (SEGMENTS - 1, "pending")


def test_a_newer_run_is_seen_among_new_signals(collector: Collector, hand_over: HandOver) -> None:
    hand_over.produce(count=SEGMENTS, segment_values=1)
    collector.look()
    newer = hand_over.produce(count=20, segment_values=1).run_id
    facts = collector.look()
    assert facts.run is not None
    assert (facts.run.run_id, len(facts.runs)) == (newer, 2)


def _looks(collector: Collector) -> Iterator[PageFacts]:
    """Look until nothing is left."""
    for _ in range(20):
        facts = collector.look()
        yield facts
        if not facts.notes:
            return
    raise AssertionError("20 looks did not see everything")


def _read(server: Server) -> int:
    """Return how many lists were asked for their length: each segment that is read."""
    with connect(server) as client:
        found: Any = client.info("commandstats")
    return int(found.get("cmdstat_llen", {"calls": 0})["calls"])
