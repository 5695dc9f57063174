"""A Sentinel group: found by its name, and its failovers ridden through on either side."""

from __future__ import annotations

import signal

import pytest

from shared.keys import Keyspace
from tests.stage.programs import Name, StartProgram, run_program
from tests.stage.raw import call
from tests.stage.runs import (
    consume,
    json_of,
    produce,
    require_exact,
    require_numbers,
    require_one_sentence,
    staging_keys,
)
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

COUNT = 2_000_000
SEGMENT_VALUES = 100_000
RUN = ("run", "--json", "--count", str(COUNT), "--segment-values", str(SEGMENT_VALUES))
KEYS = [Keyspace().segment(number) for number in range(1, COUNT // SEGMENT_VALUES + 1)]
PROGRAMS: tuple[Name, Name] = ("server-a", "server-b")


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_the_producer_rides_through_a_failover_when_the_primary(
    sentinel_group: SentinelGroup, start_program: StartProgram, signal_number: int
) -> None:
    old = sentinel_group.primary()
    producer = start_program("server-a", *RUN, server=sentinel_group.url)
    wait_until(lambda: staging_keys(old), description="a segment is being written")

    if signal_number == signal.SIGSTOP:
        old.pause()
    else:
        old.end(signal_number)

    summary = json_of(producer)
    assert sentinel_group.primary() is not old
    assert 0 < summary["outage_s"] < 60  # which begins with the last reply, the Sentinels' clocks up to a second before
    assert summary["lost_acknowledged"] % SEGMENT_VALUES == 0
    assert summary["endpoint"] == f"{sentinel_group.url}/0"
    require_exact(summary, consume(sentinel_group.url))
    require_numbers([(key, sentinel_group.primary()) for key in KEYS], segment_values=SEGMENT_VALUES, count=COUNT)


def test_the_consumer_rides_through_a_failover(sentinel_group: SentinelGroup, start_program: StartProgram) -> None:
    old = sentinel_group.primary()
    summary = produce(sentinel_group.url, *RUN[2:])
    consumer = start_program("server-b", "run", "--once", "--json", server=sentinel_group.url)
    result = Keyspace().result(summary["run_id"])
    wait_until(lambda: call(old, "HLEN", result), description="the consumer has begun")

    old.end(signal.SIGKILL)

    report = json_of(consumer)
    require_exact(summary, report)
    assert report["mode"] == "group"


def test_values_that_a_promoted_replica_never_got_are_written_again(
    sentinel_group: SentinelGroup, start_program: StartProgram
) -> None:
    """The primary acknowledges them, dies before they are replicated, and nobody but the audit would ever know."""
    old, lagging = sentinel_group.primary(), sentinel_group.replica()
    lagging.pause()
    call(old, "CLIENT", "KILL", "TYPE", "replica")
    producer = start_program("server-a", *RUN, server=sentinel_group.url)
    wait_until(lambda: call(old, "XLEN", "signals") >= 3, description="three segments were signalled")

    old.end(signal.SIGKILL)
    lagging.resume()

    summary = json_of(producer)
    assert sentinel_group.primary() is lagging
    assert summary["lost_acknowledged"] >= 3 * SEGMENT_VALUES
    assert summary["lost_acknowledged"] % SEGMENT_VALUES == 0
    assert call(lagging, "HGET", f"run:{summary['run_id']}", "count") == b"%d" % COUNT
    require_exact(summary, consume(sentinel_group.url))
    require_numbers([(key, lagging) for key in KEYS], segment_values=SEGMENT_VALUES, count=COUNT)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_group_that_no_sentinel_knows_is_refused(sentinel_group: SentinelGroup, program: Name) -> None:
    ended = run_program(program, "run", server=sentinel_group.url.replace("/shop", "/shoe"))

    require_one_sentence(ended, 78, "'shoe'", "shop")


@pytest.mark.parametrize("program", PROGRAMS)
def test_sentinels_that_are_all_away_are_named(sentinel_group: SentinelGroup, program: Name) -> None:
    ports = [sentinel.port + 10_000 for sentinel in sentinel_group.sentinels]  # nobody listens there
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)

    ended = run_program(program, "run", server=f"redis+sentinel://{hosts}/shop")

    require_one_sentence(ended, 69, "Sentinel")
