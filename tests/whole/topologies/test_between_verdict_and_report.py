"""A failover between a verdict and the report: what a promoted replica never got is not reported as verified."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from shared.keys import Keyspace
from shared.verdict import SegmentVerdict
from tests.stage.clusters import Cluster
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.programs import StartProgram
from tests.stage.raw import call, is_primary
from tests.stage.runs import json_of, produce, require_exact, require_numbers, take_away
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.servers import binary
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

KEYS = Keyspace()
WAITS = "is not there as its verdict says"
SEGMENTS = 6
RUN = ("--count", str(SEGMENTS * 10), "--segment-values", "10")


@pytest.fixture
def redis7_group() -> Iterator[tuple[SentinelGroup, FaultyLink]]:
    """A Sentinel group of Redis 7 whose first primary is reached through a link."""
    with ExitStack() as stack:
        group = SentinelGroup(binary("redis7"))
        stack.callback(group.stop)
        links: list[FaultyLink] = []

        def front(port: int) -> int:
            links.append(stack.enter_context(FaultyLink(port)))
            return links[0].port

        group.start(front=front)
        yield group, links[0]


@pytest.mark.redis_server
def test_a_verdict_that_is_written_to_a_new_primary_without_the_list(
    redis7_group: tuple[SentinelGroup, FaultyLink], start_program: StartProgram
) -> None:
    """B reads on the old primary, which dies as the verdict is under way; the new one has neither list nor state."""
    group, link = redis7_group
    old, lagging = group.primary(), group.replica()
    lagging.pause()
    call(old, "CLIENT", "KILL", "TYPE", "replica")
    lost = produce(group.url, "--count", "10")
    result = KEYS.result(lost["run_id"])

    def fail_over() -> None:
        old.end(signal.SIGKILL)
        lagging.resume()
        wait_until(lambda: is_primary(lagging), description="the replica is promoted", timeout_s=60)

    link.at(resp("HSET", result), fail_over, is_forwarded=False)
    consumer = start_program("server-b", "run", "--once", "--json", server=group.url)

    wait_until(lambda: WAITS in consumer.errors(), description="B waits for the next signal", timeout_s=90)
    verdict = SegmentVerdict.decode(call(lagging, "HGET", result, "1"))
    assert verdict is not None
    assert verdict.verdict == "verified"
    assert call(lagging, "EXISTS", "biglist", "{biglist}:state") == 0
    assert consumer.output() == ""
    newer = produce(group.url, "--count", "10")
    require_exact(newer, json_of(consumer))  # and nothing else is on its standard output


def test_a_list_that_is_lost_with_its_shard_while_the_verdict_stands(
    cluster: Cluster, start_program: StartProgram
) -> None:
    """Another list is kept from B until the shard has failed over, so that the last verdict comes after that."""
    holder = {number: cluster.primary_of(KEYS.segment(number)) for number in range(1, SEGMENTS + 1)}
    victim = next(node for node in holder.values() if node is not cluster.primary_of("signals"))
    lost = [number for number, node in holder.items() if node is victim]
    kept = next(number for number, node in holder.items() if node is not victim)
    lagging = cluster.replica_of(victim)
    lagging.pause()
    call(victim, "CLIENT", "KILL", "TYPE", "replica")
    run_id = produce(cluster.url, *RUN)["run_id"]
    while cluster.primary_of(KEYS.run(run_id)) is victim:  # a run whose record is lost can't be resumed
        run_id = produce(cluster.url, *RUN)["run_id"]
    bring_back = take_away(holder[kept], KEYS.segment(kept), KEYS.state(KEYS.segment(kept)))
    url = cluster.url_without(victim)
    consumer = start_program("server-b", "run", "--run", run_id, "--json", server=url)
    signals, result = cluster.primary_of("signals"), KEYS.result(run_id)
    wait_until(lambda: call(signals, "HLEN", result) == SEGMENTS - 1, description="all others are verified")

    cluster.kill(victim)
    lagging.resume()
    wait_until(lambda: cluster.has_taken_over(victim, KEYS.segment(lost[0])), description="the replica has taken over")
    bring_back()

    wait_until(lambda: WAITS in consumer.errors(), description="B waits for the next signal", timeout_s=60)
    assert (call(signals, "HLEN", result), consumer.output()) == (SEGMENTS, "")
    resumed = produce(url, "--resume", run_id)
    assert resumed["attempts"] == len(lost)
    require_exact(resumed, json_of(consumer))
    places = [(KEYS.segment(number), cluster.primary_of(KEYS.segment(number))) for number in holder]
    require_numbers(places, segment_values=10, count=SEGMENTS * 10)
