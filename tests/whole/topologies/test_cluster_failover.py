"""Primaries of a cluster die in the middle of the work, and nothing is lost, doubled or left waiting."""

from __future__ import annotations

from typing import Any

import pytest

from shared.keys import Keyspace
from tests.stage.clusters import Cluster
from tests.stage.programs import StartProgram
from tests.stage.raw import call, is_in_step
from tests.stage.runs import consume, json_of, produce, require_exact, require_numbers, staging_keys, take_away
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

COUNT = 2_000_000
SEGMENT_VALUES = 100_000
RUN = ("run", "--json", "--count", str(COUNT), "--segment-values", str(SEGMENT_VALUES))
KEYS = [Keyspace().segment(number) for number in range(1, COUNT // SEGMENT_VALUES + 1)]
MOST_OUTAGE_S = 60.0  # more than its patience the producer would not wait


def require_whole(cluster: Cluster, summary: Any, report: Any) -> None:
    """Check that the consumer verified the run, and look ourselves."""
    require_exact(summary, report)
    require_numbers(cluster.holders_of(KEYS), segment_values=SEGMENT_VALUES, count=COUNT)


@pytest.mark.parametrize("holds", ["a segment", "signals"])
def test_the_producer_rides_through_the_death_of_the_primary_that_holds(
    cluster: Cluster, start_program: StartProgram, holds: str
) -> None:
    key = "signals" if holds == "signals" else "biglist:2"
    victim = cluster.primary_of(key)
    producer = start_program("server-a", *RUN, server=cluster.url)
    wait_until(lambda: staging_keys(victim), description="a segment is being written to the primary")

    cluster.kill(victim)

    summary = json_of(producer)
    assert summary["outages"] >= 1
    assert 0 < summary["outage_s"] < MOST_OUTAGE_S
    assert cluster.primary_of(key) is not victim
    require_whole(cluster, summary, consume(cluster.url_without(victim)))


@pytest.mark.parametrize("lease", [(), ("--claim-idle-ms", "500")], ids=["", "renewed in the midst of it"])
@pytest.mark.parametrize("holds", ["signals", "result"])
def test_the_consumer_rides_through_the_death_of_the_primary_that_holds(
    cluster: Cluster, start_program: StartProgram, holds: str, lease: tuple[str, ...]
) -> None:
    summary = produce(cluster.url, *RUN[2:])
    result = f"{{signals}}:result:{summary['run_id']}"
    victim = cluster.primary_of(result if holds == "result" else holds)
    consumer = start_program("server-b", "run", "--once", "--json", *lease, server=cluster.url_without(victim))
    wait_until(lambda: verdicts(cluster, result) >= 2, description="the consumer has begun")

    cluster.kill(victim)

    require_exact(summary, json_of(consumer))


def test_waiting_for_the_verdict_outlasts_the_death_of_the_primary_that_holds_it(
    cluster: Cluster, start_program: StartProgram
) -> None:
    producer = start_program("server-a", "run", "--json", "--await-verdict-s", "60", server=cluster.url)
    signals = cluster.primary_of("signals")
    wait_until(lambda: call(signals, "XLEN", "signals"), description="the run is signalled")
    fields = call(signals, "XRANGE", "signals", "-", "+")[0][1]
    run_id = fields[fields.index(b"run_id") + 1].decode()
    wait_until(lambda: has_finished(cluster, run_id), description="the producer waits for the verdict")
    result = Keyspace().result(run_id)
    victim = cluster.primary_of(result)
    replica = cluster.replica_of(victim)
    wait_until(lambda: is_in_step(victim, replica), description="the replica has the signal")

    cluster.kill(victim)
    wait_until(lambda: cluster.has_taken_over(victim, result), description="the replica has taken over")

    report = consume(cluster.url_without(victim))
    require_exact(json_of(producer), report)


def test_both_ride_through_planned_failovers_of_every_primary(cluster: Cluster, start_program: StartProgram) -> None:
    """As when a cluster is upgraded node by node: nothing is cut, each primary just ceases to be one."""
    consumer = start_program("server-b", "run", "--once", "--json", server=cluster.nodes[0])
    wait_until(lambda: "waiting for signals" in consumer.errors(), description="the consumer waits for signals")
    producer = start_program("server-a", *RUN, server=cluster.nodes[1])

    for primary in cluster.primaries():
        wait_until(
            lambda primary=primary: staging_keys(primary) or not producer.is_running,  # type: ignore[misc]
            description="a segment is being written",
        )
        cluster.fail_over(primary)

    summary = json_of(producer)
    require_whole(cluster, summary, json_of(consumer))


def test_verdicts_that_a_promoted_replica_never_got_are_read_again(
    cluster: Cluster, start_program: StartProgram
) -> None:
    """A verdict and its signal's acknowledgement are one transaction in one slot: a failover loses both or neither.

    A list is kept from the consumer until then, so that it can't be done before the primary dies.
    """
    summary = produce(cluster.url, "--count", "600000", "--segment-values", "20000")
    result = f"{{signals}}:result:{summary['run_id']}"
    victim = cluster.primary_of(result)
    kept = next(key for key in KEYS if cluster.primary_of(key) is not victim)
    bring_back = take_away(cluster.primary_of(kept), kept, Keyspace().state(kept))
    lagging, other = cluster.replica_of(victim), next(node for node in cluster.primaries() if node is not victim)
    call(victim, "XGROUP", "CREATE", "signals", "server-b", "0")
    wait_until(lambda: is_in_step(victim, lagging), description="the replica has the group")
    lagging.pause()
    call(victim, "CLIENT", "KILL", "TYPE", "replica")
    consumer = start_program("server-b", "run", "--once", "--json", server=other)
    wait_until(lambda: call(victim, "HLEN", result) >= 2, description="two verdicts are recorded")

    cluster.kill(victim)
    lagging.resume()
    bring_back()

    require_exact(summary, json_of(consumer))
    assert "endpoint lost" in consumer.errors()
    assert verdicts(cluster, result) == summary["segments"]
    assert call(cluster.primary_of("signals"), "XPENDING", "signals", "server-b")[0] == 0


def has_finished(cluster: Cluster, run_id: str) -> bool:
    """Return whether the producer has nothing left to do but to wait."""
    key = f"run:{run_id}"
    return int(call(cluster.primary_of(key), "HGET", key, "finished_ms") or 0) > 0


def verdicts(cluster: Cluster, result: str) -> int:
    """Return how many verdicts there are."""
    return int(call(cluster.primary_of(result), "HLEN", result))
