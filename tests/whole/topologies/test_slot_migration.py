"""A slot moves from one primary to another while both programs work, as it does whenever a cluster is resized."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.keys import Keyspace
from tests.stage.clusters import Cluster
from tests.stage.migration import Migration, migration_of
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.runs import (
    consume,
    json_of,
    produce,
    require_exact,
    require_numbers,
)
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

COUNT = 1_000_000
SEGMENT_VALUES = 50_000
RUN = ("run", "--json", "--count", str(COUNT), "--segment-values", str(SEGMENT_VALUES))
KEYS = [Keyspace().segment(number) for number in range(1, COUNT // SEGMENT_VALUES + 1)]


def test_the_producer_follows_slots_that_move(cluster: Cluster, start_program: StartProgram) -> None:
    migrations = [migration_of(cluster, key) for key in ("signals", "biglist:2", KEYS[-1])]
    producer = start_program("server-a", *RUN, server=cluster.url)
    wait_until(lambda: keys_written(cluster), description="the producer writes")

    for migration in migrations:
        migration.carry_out(cluster.primaries())

    summary = json_of(producer)
    assert summary["lost_acknowledged"] == 0
    assert cluster.primary_of("signals") is migrations[0].target
    require_exact(summary, consume(cluster.url))
    require_numbers(cluster.holders_of(KEYS), segment_values=SEGMENT_VALUES, count=COUNT)


def test_the_consumer_follows_slots_that_move(cluster: Cluster, start_program: StartProgram) -> None:
    summary = produce(cluster.url, *RUN[2:])
    migrations = [migration_of(cluster, key) for key in ("signals", "biglist:3", KEYS[-1])]
    consumer = start_program("server-b", "run", "--once", "--json", server=cluster.url)
    result = f"{{signals}}:result:{summary['run_id']}"
    wait_until(lambda: call(cluster.primary_of(result), "HLEN", result), description="the consumer has begun")

    for migration in migrations:
        migration.carry_out(cluster.primaries())

    require_exact(summary, json_of(consumer))


def keys_written(cluster: Cluster) -> int:
    """Return how many keys lie on the primaries."""
    return sum(call(primary, "DBSIZE") for primary in cluster.primaries())


def test_a_producer_waits_for_a_slot_in_migration_and_ends_saying_which(cluster: Cluster) -> None:
    migration = migration_of(cluster, "biglist")
    migration.begin()

    ended = run_program("server-a", "run", "--patience-s", "2", server=cluster.url)

    require_slot_named(migration, ended.exit_code, ended.stderr)
    assert call(migration.target, "DBSIZE") + call(migration.source, "DBSIZE") == 0


def test_a_run_that_met_a_slot_in_migration_says_how_to_go_on(cluster: Cluster, start_program: StartProgram) -> None:
    """It is a long one: the slot of its last segment is to move while the first ones are written."""
    migration = migration_of(cluster, KEYS[-1])
    sizes = ("--count", str(4 * COUNT), "--segment-values", str(4 * SEGMENT_VALUES))
    producer = start_program("server-a", "run", "--json", *sizes, "--patience-s", "2", server=cluster.url)
    wait_until(lambda: keys_written(cluster), description="the producer writes")
    migration.begin()

    require_slot_named(migration, producer.wait(60), producer.errors())
    assert f" of {len(KEYS)} segments published" in run_program("server-a", "status", server=cluster.url).stdout
    migration.end(cluster.primaries())
    run_id = producer.errors().split("--resume ")[1].split()[0]
    summary = produce(cluster.url, "--resume", run_id)
    assert 1 <= summary["attempts"] < len(KEYS)  # what was under way beside the one that was sent away, at most
    require_exact(summary, consume(cluster.url))


def require_slot_named(migration: Migration, exit_code: int, errors: str) -> None:
    """Check that a program ended with 75 and a sentence about a slot and where it is going."""
    assert exit_code == 75, errors
    assert f"ASK {migration.slot} 127.0.0.1:{migration.target.port}" in errors.splitlines()[-1]


def test_a_producer_goes_on_when_the_migration_it_waited_for_ends(
    cluster: Cluster, start_program: StartProgram
) -> None:
    migration = migration_of(cluster, "biglist")
    migration.begin()
    producer = start_program("server-a", "run", "--json", "--count", "100000", server=cluster.url)
    wait_until(lambda: "ASK" in producer.errors(), description="the producer was sent away")

    migration.end(cluster.primaries())

    summary = json_of(producer)
    require_exact(summary, consume(cluster.url))


def test_a_consumer_bears_a_slot_that_goes_to_a_node_just_added(cluster: Cluster, start_program: StartProgram) -> None:
    """Such a node has no slot yet, so no client has heard of it when it is sent there."""
    summary = produce(cluster.url, "--count", "100000")
    added = cluster.empty_primary()
    migration = replace(migration_of(cluster, "signals"), target=added)
    migration.begin()
    migration.move_keys()
    consumer = start_program("server-b", "run", "--once", "--json", server=cluster.url_without(added))
    wait_until(lambda: "trying again" in consumer.errors(), description="the consumer was sent to the added node")

    migration.end(cluster.primaries())

    require_exact(summary, json_of(consumer))
    replace(migration, source=added, target=migration.source).carry_out(cluster.primaries())
