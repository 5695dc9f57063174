"""A cluster that is well: any node will do, segments spread, and every command works as on one server."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from redis.crc import key_slot

from shared.endpoint.entra import EntraTokens
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.clusters import PRIMARIES, Cluster
from tests.stage.programs import StartProgram, run_program
from tests.stage.raw import call
from tests.stage.rotating_tokens import USER, RotatingTokens
from tests.stage.runs import consume, json_of, produce, require_exact, require_numbers, require_one_sentence
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

SEGMENT_VALUES = 10_000
SEGMENTS = 12


def test_any_node_leads_to_the_whole_cluster(cluster: Cluster) -> None:
    primary = cluster.primaries()[0]
    replica = cluster.replica_of(primary)
    for url_a, url_b in ((primary.url, replica.url), (replica.url, primary.url)):
        summary = produce(url_a, "--count", "30000", "--segment-values", str(SEGMENT_VALUES))
        report = consume(url_b)

        require_exact(summary, report)
        assert (summary["endpoint"], report["endpoint"], report["mode"]) == (url_a, url_b, "group")


def test_segments_spread_over_all_primaries_each_beside_its_state(cluster: Cluster) -> None:
    count = SEGMENTS * SEGMENT_VALUES
    produce(cluster.url, "--count", str(count), "--segment-values", str(SEGMENT_VALUES))
    keys = [Keyspace().segment(number) for number in range(1, SEGMENTS + 1)]

    require_numbers(cluster.holders_of(keys), segment_values=SEGMENT_VALUES, count=count)
    for primary in cluster.primaries():
        own = [key for key in keys if cluster.primary_of(key) is primary]
        assert len(own) >= 2, f"of {SEGMENTS} segments {len(own)} are on {primary.port}"
        assert all(call(primary, "EXISTS", f"{{{key}}}:state") for key in own)


def test_three_consumers_share_a_run(cluster: Cluster, start_program: StartProgram) -> None:
    consumers = [
        start_program("server-b", "run", "--once", "--json", "--wait-s", "30", "--consumer", f"b{number}", server=node)
        for number, node in enumerate(cluster.nodes[2:5])
    ]
    wait_until(
        lambda: all("waiting for signals" in consumer.errors() for consumer in consumers),
        description="all three wait for signals",
    )

    summary = produce(cluster.url, "--count", "1200000", "--segment-values", "100000")

    for report in map(json_of, consumers):
        require_exact(summary, report)
    result = f"{{signals}}:result:{summary['run_id']}"
    verdicts = call(cluster.primary_of(result), "HVALS", result)
    assert len(verdicts) == summary["segments"]
    assert len({json.loads(verdict)["consumer"] for verdict in verdicts}) > 1


def test_shop_commands_find_their_records_on_every_primary(cluster: Cluster) -> None:
    def run(*arguments: str) -> str:
        ended = run_program("server-a", *arguments, server=cluster.url)
        assert ended.exit_code == 0, ended.stderr
        return ended.stdout

    produce(cluster.url, "--count", "1", "--users", "9", "--carts", "0")
    run("user", "add", "ada", "--first-name", "Ada", "--last-name", "Quux")
    run("sku", "add", "lamp", "--name", "Lamp", "--price", "12.50")
    run("cart", "add", "ada", "lamp", "--quantity", "3")
    run("cart", "remove", "ada", "lamp")

    holders = {cluster.primary_of(f"user:{number}").port for number in range(1, 10)}
    assert len(holders) == PRIMARIES
    assert len(run("user", "list").splitlines()) >= 10
    assert "Lamp" in run("sku", "list")
    assert "25.00" in run("cart", "show", "ada")
    run("user", "remove", "ada")
    assert "Quux" not in run("user", "list")


def test_read_status_and_purge_cover_the_whole_cluster(cluster: Cluster) -> None:
    count = SEGMENTS * SEGMENT_VALUES
    produce(cluster.url, "--count", str(count), "--segment-values", str(SEGMENT_VALUES), "--users", "50")
    consume(cluster.url)

    read = run_program("server-b", "read", server=cluster.url)
    status = run_program("server-a", "status", "--json", server=cluster.url)
    purge = run_program("server-a", "purge", "--yes", "--shop", server=cluster.url)

    assert read.stdout.split() == [str(number) for number in range(count, 0, -1)]
    assert (status.exit_code, status.json()["troubles"]) == (0, [])
    assert purge.exit_code == 0, purge.stderr
    assert [call(primary, "DBSIZE") for primary in cluster.primaries()] == [0] * PRIMARIES


def test_dead_letters_lie_beside_their_signals_and_are_listed_and_retried(cluster: Cluster) -> None:
    """Signal and letter change in one transaction, which takes one slot."""
    summary = produce(cluster.url, "--count", "5000")
    holder = cluster.primary_of("signals")
    (_, fields), *_ = call(holder, "XRANGE", "signals", "-", "+")
    call(holder, "DEL", "signals")
    broken = fields.copy()
    broken[broken.index(b"count") + 1] = b"none"
    call(holder, "XADD", "signals", "*", *broken)
    call(holder, "XADD", "signals", "*", *fields)
    assert key_slot(b"{signals}:dead") == key_slot(b"signals")

    require_exact(summary, consume(cluster.url))
    listed = run_program("server-b", "dead", "list", "--json", server=cluster.url)
    assert listed.json()["fields"]["count"] == "none"
    assert "Signalled 1 again" in run_program("server-b", "dead", "retry", server=cluster.url).stdout
    assert call(holder, "XLEN", "signals") == 3
    assert run_program("server-b", "dead", "list", server=cluster.url).stdout == "No dead letters.\n"


def test_a_renewed_token_reaches_every_primary(cluster: Cluster) -> None:
    """Each has a pool of its own, and redis-entraid's provider keeps only one callback."""
    tokens = RotatingTokens(*cluster.primaries())
    try:
        settings = EndpointSettings(url=parse_url(cluster.primaries()[0].url))
        with closing(open_endpoint(settings, provider=EntraTokens(tokens))) as endpoint:
            assert [client.ping() for client in endpoint.primaries()] == [True] * PRIMARIES
            tokens.renew()
            tokens.announce()
            commands = [command for _, command in tokens.last_commands()]
        assert commands == ["auth"] * PRIMARIES
    finally:
        for primary in cluster.primaries():
            call(primary, "ACL", "DELUSER", USER)


@pytest.mark.parametrize("program", ["server-a", "server-b"])
def test_a_database_in_the_url_of_a_cluster_is_refused(cluster: Cluster, program: str) -> None:
    url = cluster.url.removesuffix("0") + "3"

    ended = run_program("server-a" if program == "server-a" else "server-b", "run", server=url)

    require_one_sentence(ended, 78, "database", "URL")


@pytest.mark.redis_server
def test_redis_7_forms_a_cluster_that_serves_too(redis7_cluster: Cluster) -> None:
    summary = produce(redis7_cluster.url, "--count", "120000", "--segment-values", str(SEGMENT_VALUES))

    require_exact(summary, consume(redis7_cluster.url))
