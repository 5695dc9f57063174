"""The search of `server-a status` for runs that have published nothing, among the keys of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.endpoint import scanning
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.status.status import read_status
from tests.stage.clusters import Cluster
from tests.stage.hand_over_in_process import RUN, HandOver
from tests.stage.servers import connect
from tests.stage.status_checks import DONE, UNFINISHED, require_status
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

FOREIGN_KEYS = 200_000
FILL = "for i = 1, ARGV[1] do redis.call('SET', ARGV[2] .. i, 'x') end"
NOT_LOOKED_AT = "runs that have published nothing yet: "
KEYS = Keyspace()
RECORD = RunRecord(RUN, SOURCE_NUMBERS, 10, 10, 2, 0, 0, 0, 1, 86_400_000)


def opened(url: str) -> closing[Endpoint]:
    """Return an endpoint at a URL, to be closed by its block."""
    return closing(open_endpoint(EndpointSettings(url=parse_url(url))))


@pytest.fixture
def crowded(own_server: Server) -> Iterator[redis.Redis]:
    """A client of a server that holds many keys of others, some of them named much as runs are."""
    with connect(own_server) as client:
        client.eval(FILL, 0, FOREIGN_KEYS, "foreign:")
        client.eval(FILL, 0, 1_000, "run:")
        client.hset("run:20200101T000000001Z-abcdeF", "theirs", "x")
        client.set("run:20200101T000000009Z-abcdef", "a string")
        yield client


def test_a_run_that_published_nothing_is_found_among_200_000_keys_of_others(
    crowded: redis.Redis, own_server: Server
) -> None:
    crowded.hset(KEYS.run(RUN), mapping=RECORD.encode())  # type: ignore[arg-type]
    with TurnCounter(own_server.port) as counter, opened(counter.url) as endpoint:
        status = read_status(endpoint, KEYS, is_scanned=True, scan_s=600.0)
    require_status(status, UNFINISHED, f"run {RUN} has published 0 of 1", "verdicts on 0 of 1")
    assert (status.problems, [run.run_id for run in status.runs]) == ([], [RUN])
    assert counter.times("SCAN") < FOREIGN_KEYS / scanning.COUNT * 1.6, str(counter)  # 201 with the usual 1,000


@pytest.mark.parametrize("is_verified", [True, False])
def test_a_search_that_ends_early_is_no_all_clear(
    crowded: redis.Redis, own_server: Server, *, is_verified: bool
) -> None:
    if is_verified:
        hand_over = HandOver(own_server.url, KEYS)
        hand_over.produce(count=10)
        hand_over.consume()
    with opened(own_server.url) as endpoint:
        status = read_status(endpoint, KEYS, is_scanned=True, scan_s=0.0)
        require_status(status, UNFINISHED, f"{NOT_LOOKED_AT}the search ended after 0 s, before all keys at ")
        if is_verified:
            require_status(read_status(endpoint, KEYS, is_scanned=True, scan_s=600.0), DONE)


def test_a_search_that_is_not_allowed_is_no_all_clear(own_server: Server) -> None:
    with connect(own_server) as client:
        client.execute_command("ACL", "SETUSER", "searcher", "on", ">secret", "~*", "+@all", "-scan")
    hand_over = HandOver(own_server.url, KEYS)
    hand_over.produce(count=10)
    hand_over.consume()
    with opened(own_server.url.replace("redis://", "redis://searcher:secret@")) as endpoint:
        require_status(read_status(endpoint, KEYS, is_scanned=True), UNFINISHED, f"{NOT_LOOKED_AT}redis://127.0.0.1")
        require_status(read_status(endpoint, KEYS), DONE)


@pytest.mark.cluster
@pytest.mark.kept_together("topologies")
def test_every_primary_of_a_cluster_is_looked_through_or_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = HandOver(cluster.url, KEYS)
    hand_over.produce(count=10, users=200)
    hand_over.consume()
    monkeypatch.setattr(scanning, "COUNT", 1)
    with opened(cluster.url) as endpoint:
        require_status(read_status(endpoint, KEYS, is_scanned=True), DONE)
        status = read_status(endpoint, KEYS, is_scanned=True, scan_s=0.0)
        require_status(status, UNFINISHED, f"{NOT_LOOKED_AT}the search ended after 0 s")
        assert all(f":{primary.port}" in status.not_looked_at[0] for primary in cluster.primaries())
        older = RUN.replace("2020", "2019")
        endpoint.at(KEYS.run(older)).hset(KEYS.run(older), mapping=RECORD.encode() | {"run_id": older})  # type: ignore[arg-type]
        assert older in {run.run_id for run in read_status(endpoint, KEYS, is_scanned=True).runs}
