"""`check` at a cluster, behind Sentinels and at a lagging replica, and in a cluster with least rights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stage.access_rules import PASSWORDS, PURGE, PURGE_PASSWORD, rules
from tests.stage.check_runs import check
from tests.stage.clusters import Cluster
from tests.stage.programs import Name, run_program
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair
from tests.stage.runs import require_one_sentence
from tests.stage.sentinel_groups import SentinelGroup

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

CLUSTER_RULES = ("+cluster|slots",)


@pytest.mark.parametrize("program", PASSWORDS)
def test_any_node_of_a_cluster(program: Name, cluster: Cluster) -> None:
    for node in (cluster.primaries()[0], cluster.replica_of(cluster.primaries()[0])):
        code, found = check(program, node.url)
        assert (code, found["mode"], found["role"], found["troubles"]) == (0, "cluster", "primary", [])
        assert all(right["is_allowed"] for right in found["rights"])


def test_room_is_looked_for_on_every_primary(cluster: Cluster) -> None:
    small = cluster.primaries()[1]
    call(small, "CONFIG", "SET", "maxmemory", "4mb")
    try:
        code, found = check("server-a", cluster.url, "--count", "30000000")
        run = run_program("server-a", "run", "--count", "30000000", server=cluster.url)
    finally:
        call(small, "CONFIG", "SET", "maxmemory", "0")
    assert (code, len(found["troubles"])) == (75, 1)
    assert f":{small.port}" in found["troubles"][0]
    require_one_sentence(run, 75, f":{small.port}", "of memory below its maxmemory for the run")
    assert [call(primary, "DBSIZE") for primary in cluster.primaries()] == [0, 0, 0]


def test_canaries_in_a_cluster(cluster: Cluster) -> None:
    code, found = check("server-a", cluster.url, "--peer-url", cluster.primaries()[0].url)
    assert (code, found["peer"]["relation"], found["peer"]["seen"]) == (0, "same", 20)
    assert [call(primary, "DBSIZE") for primary in cluster.primaries()] == [0, 0, 0]


@pytest.fixture
def users(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Both programs as users of every node; their passwords as variables."""
    for node in cluster.nodes:
        for user in (*PASSWORDS, PURGE):
            call(node, "ACL", "SETUSER", *rules(user).split()[1:], *CLUSTER_RULES)
    yield {"SERVER_A_PASSWORD": PASSWORDS["server-a"], "SERVER_B_PASSWORD": PASSWORDS["server-b"]}
    for node in cluster.nodes:
        call(node, "ACL", "DELUSER", *PASSWORDS, PURGE)


def test_least_rights_in_a_cluster(cluster: Cluster, users: dict[str, str]) -> None:
    urls = {program: cluster.url.replace("//", f"//{program}@") for program in PASSWORDS}
    assert check("server-a", urls["server-a"], "--peer-url", urls["server-b"], env=users)[0] == 0
    assert check("server-b", urls["server-b"], env=users)[0] == 0
    options = ("--count", "4500", "--segment-values", "1000")
    assert run_program("server-a", "run", *options, server=urls["server-a"], env=users).exit_code == 0
    verified = run_program("server-b", "run", "--once", "--wait-s", "30", server=urls["server-b"], env=users)
    assert verified.exit_code == 0, verified
    purging = {"SERVER_A_PASSWORD": PURGE_PASSWORD}
    url = cluster.url.replace("//", f"//{PURGE}@")
    assert run_program("server-a", "purge", "--yes", "--shop", server=url, env=purging).exit_code == 0
    assert [call(primary, "DBSIZE") for primary in cluster.primaries()] == [0, 0, 0]


def test_behind_sentinels(sentinel_group: SentinelGroup) -> None:
    for program in PASSWORDS:
        code, found = check(program, sentinel_group.url)
        assert (code, found["mode"], found["role"], found["troubles"]) == (0, "sentinel", "primary", [])
    for peer, relation in ((sentinel_group.primary(), "same"), (sentinel_group.replica(), "connected")):
        code, found = check("server-a", sentinel_group.url, "--peer-url", peer.url)
        assert (code, found["peer"]["relation"], found["peer"]["seen"]) == (0, relation, 20)


def test_a_replica_that_is_cut_off(pair: ReplicatedPair) -> None:
    pair.detach()
    code, found = check("server-a", pair.primary.url, "--peer-url", pair.replica.url)
    assert (code, found["peer"]["relation"]) == (75, "none")
    assert call(pair.primary, "DBSIZE") == 0
