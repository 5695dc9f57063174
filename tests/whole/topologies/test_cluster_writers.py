"""Several writers on a cluster: all primaries at work at once, and what the death of one of them costs."""

from __future__ import annotations

import os
from typing import Any

import pytest

from shared.keys import Keyspace
from tests.stage.clusters import PRIMARIES, Cluster
from tests.stage.programs import StartProgram
from tests.stage.runs import consume, json_of, produce, require_exact, require_numbers, staging_keys
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

COUNT = 2_000_000
SEGMENT_VALUES = 100_000
RUN = ("--count", str(COUNT), "--segment-values", str(SEGMENT_VALUES))
KEYS = [Keyspace().segment(number) for number in range(1, COUNT // SEGMENT_VALUES + 1)]


def require_whole(cluster: Cluster, summary: Any, report: Any, *, times: int = 1) -> None:
    """Check that the consumer verified the run, some times as large, and look ourselves."""
    require_exact(summary, report)
    sizes = {"segment_values": times * SEGMENT_VALUES, "count": times * COUNT}
    require_numbers(cluster.holders_of(KEYS), **sizes)


def test_a_cluster_has_a_writer_for_each_primary_and_core(cluster: Cluster) -> None:
    summary = produce(cluster.url, *RUN)
    assert summary["writers"] == min(PRIMARIES, len(os.sched_getaffinity(0)))
    assert summary["attempts"] == len(KEYS)
    require_whole(cluster, summary, consume(cluster.url))


@pytest.mark.parametrize("writers", [2, 3])
def test_as_many_primaries_as_writers_are_written_to_at_once(
    cluster: Cluster, start_program: StartProgram, writers: int
) -> None:
    """In a run of twice as many values, since the writers, which start one after the other, do this now and then."""
    primaries = {cluster.primary_of(key).port: cluster.primary_of(key) for key in KEYS}.values()
    sizes = ("--count", str(2 * COUNT), "--segment-values", str(2 * SEGMENT_VALUES))
    producer = start_program("server-a", "run", "--json", *sizes, "--writers", str(writers), server=cluster.url)
    wait_until(
        lambda: sum(bool(staging_keys(primary)) for primary in primaries) >= writers,
        description=f"segments are being written to {writers} primaries",
    )
    summary = json_of(producer)
    assert summary["writers"] == writers
    require_whole(cluster, summary, consume(cluster.url), times=2)


@pytest.mark.parametrize("holds", ["biglist:2", "signals"])
def test_writers_ride_through_the_death_of_the_primary_that_holds(
    cluster: Cluster, start_program: StartProgram, holds: str
) -> None:
    victim = cluster.primary_of(holds)
    producer = start_program("server-a", "run", "--json", *RUN, "--writers", "2", server=cluster.url_without(victim))
    wait_until(lambda: staging_keys(victim), description="a segment is being written to the primary")

    cluster.kill(victim)

    summary = json_of(producer)
    assert summary["outages"] >= 1
    assert summary["outage_s"] > 0
    require_whole(cluster, summary, consume(cluster.url_without(victim)))
