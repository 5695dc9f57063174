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
from shared.page.part_sums import PartSums
from shared.page.run_record import NO_RECORD
from shared.page.segment_lines import SegmentLines
from shared.status import reading, stream_reading
from shared.verdict import FAILED
from tests.stage.hand_over_in_process import OLDER, HandOver
from tests.stage.page_facts import BEGAN_MS, RUN_ID, segment
from tests.stage.servers import connect

ON_VALKEY = pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
SEGMENTS, MOST = 60, 20


@pytest.fixture
def collector(endpoint: Endpoint, keys: Keyspace, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """A collector to which 60 segments are many."""
    for name, value in (("FEW", 10), ("LOWEST", 2), ("IN_TURN", 3), ("NEAR", 4), ("ASKED_IN_TURN", 7)):
        monkeypatch.setattr(open_segments, name, value)
    return Collector(endpoint, keys, is_encrypted=False, most_open=MOST)


@ON_VALKEY
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


@ON_VALKEY
@pytest.mark.parametrize("is_known", [True, False])
def test_the_newest_run_has_its_verdict_also_where_another_one_is_shown(
    endpoint: Endpoint, keys: Keyspace, hand_over: HandOver, *, is_known: bool
) -> None:
    """It was listed as not finished."""
    older = hand_over.produce(count=3, segment_values=1).run_id
    hand_over.consume()
    newest = hand_over.produce(count=3, segment_values=1).run_id
    shown = older if is_known else OLDER
    begun = Collector(endpoint, keys, is_encrypted=False, run_id=shown).look()
    hand_over.consume()
    found = Collector(endpoint, keys, is_encrypted=False, run_id=shown).look()
    assert [(run.run_id, run.verdict) for run in begun.runs] == [(newest, "pending"), (older, "verified")]
    assert [(run.run_id, run.verdict) for run in found.runs] == [(newest, "verified"), (older, "verified")]
    assert (found.run is not None, found.wrong, found.under_way) == (is_known, (), ())


@ON_VALKEY
def test_a_look_asks_where_a_run_moves_and_in_turn_of_all(
    collector: Collector, hand_over: HandOver, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_segments, "PORTION_KEYS", 1)  # so that each segment is asked for by commands of its own
    run_id = hand_over.produce(count=SEGMENTS, segment_values=1).run_id
    *_, last = _looks(collector)
    assert last.run is not None
    quiet = _hmgets(server, collector)
    with connect(server) as client:
        client.hset(collector.keys.run(run_id), "published", str(SEGMENTS - 1))
    moving = [_hmgets(server, collector) - quiet]
    assert 0 < moving[0] <= 2 * (4 + 4 + 7)
    while collector.is_behind:
        moving.append(_hmgets(server, collector) - quiet)
    assert len(moving) in (9, 10)  # turns of seven, one of which is cut by the last segment
    assert _hmgets(server, collector) == quiet


def test_only_parts_with_a_segment_that_was_read_are_summed_again() -> None:
    lines = SegmentLines(RUN_ID)
    for number in range(1, 2_001):
        lines.add(segment(number, segments=2_000), f"{BEGAN_MS + number}-0")
    sums = PartSums(lines)
    before = sums.of(2_000, NO_RECORD)
    lines.add(segment(9, segments=2_000, verdict=FAILED), f"{BEGAN_MS + 9}-0")
    after = sums.of(2_000, NO_RECORD)
    assert [old is new for old, new in zip(before, after, strict=True)] == [part != 4 for part in range(1_000)]
    assert after == PartSums(lines).of(2_000, NO_RECORD)


@ON_VALKEY
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


@ON_VALKEY
def test_a_newer_run_is_seen_among_new_signals(collector: Collector, hand_over: HandOver) -> None:
    hand_over.produce(count=SEGMENTS, segment_values=1)
    collector.look()
    newer = hand_over.produce(count=20, segment_values=1).run_id
    facts = collector.look()
    assert facts.run is not None
    assert (facts.run.run_id, len(facts.runs)) == (newer, 2)


@ON_VALKEY
@pytest.mark.parametrize("is_there", [True, False])
def test_of_more_new_signals_than_a_page_only_the_new_pages_are_read(
    collector: Collector, hand_over: HandOver, server: Server, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """All of the newest 20,000 were read again: where a run was fast, the next look came late, and so on."""
    for module in (reading, stream_reading):
        monkeypatch.setattr(module, "PAGE_ENTRIES", 10)
    hand_over.produce(count=SEGMENTS, segment_values=1)
    collector.look()
    newer = hand_over.produce(count=25, segment_values=1).run_id
    with connect(server) as client:
        if not is_there:  # the newest of those that were seen
            client.xdel(collector.keys.signals(), client.xrevrange(collector.keys.signals(), count=26)[-1][0])
        client.config_resetstat()
        facts = collector.look()
        calls = client.info("commandstats")["cmdstat_xrevrange"]["calls"]
    assert [run.segments for run in facts.runs] == [25, SEGMENTS]
    assert facts.runs[0].run_id == newer
    assert calls == (4 if is_there else 4 + 8)  # two of signals and dead letters at first, then of older signals


def _looks(collector: Collector) -> Iterator[PageFacts]:
    """Look until nothing is left."""
    for _ in range(20):
        facts = collector.look()
        yield facts
        if not facts.notes and not collector.is_behind:
            return
    raise AssertionError("20 looks did not see everything")


def _hmgets(server: Server, collector: Collector) -> int:
    """Look, and return how many HMGET that took."""
    with connect(server) as client:
        client.config_resetstat()
        collector.look()
        return int(client.info("commandstats")["cmdstat_hmget"]["calls"])


def _read(server: Server) -> int:
    """Return how many lists were asked for their length: each segment that is read."""
    with connect(server) as client:
        found: Any = client.info("commandstats")
    return int(found.get("cmdstat_llen", {"calls": 0})["calls"])
