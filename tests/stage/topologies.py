"""The topologies of these tests; each is made once and healed before every test that takes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from demo.servers import Server
from tests.stage.clusters import SLOTS, Cluster
from tests.stage.faulty_link import FaultyLink
from tests.stage.following import Following
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.servers import binary
from tests.stage.waiting import wait_until


@pytest.fixture(scope="session")
def formed_clusters(session_directory: Path) -> Iterator[list[Cluster]]:
    """The session's clusters, the last of which is in use; ask for `cluster` instead."""
    clusters: list[Cluster] = []
    yield clusters
    for cluster in clusters:
        cluster.stop()


@pytest.fixture
def cluster(formed_clusters: list[Cluster]) -> Cluster:
    """A whole and empty cluster of Valkey 9, which the test may break."""
    if formed_clusters:
        with suppress(AssertionError, redis.RedisError):  # a test left it beyond healing
            formed_clusters[-1].heal()
            return formed_clusters[-1]
        formed_clusters[-1].stop()
    formed_clusters.append(Cluster(binary("valkey9")))
    formed_clusters[-1].start()
    return formed_clusters[-1]


@pytest.fixture
def redis7_cluster(session_directory: Path) -> Iterator[Cluster]:
    """A cluster of Redis 7 of the test's own."""
    cluster = Cluster(binary("redis7"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def formed_group(session_directory: Path) -> Iterator[SentinelGroup]:
    """The session's Sentinel group; ask for `sentinel_group` instead."""
    group = SentinelGroup(binary("valkey9"))
    try:
        group.start()
        yield group
    finally:
        group.stop()


@pytest.fixture
def sentinel_group(formed_group: SentinelGroup) -> SentinelGroup:
    """A whole and empty Sentinel group of Valkey 9, which the test may break."""
    formed_group.heal()
    return formed_group


@pytest.fixture(scope="session")
def formed_pair(session_directory: Path) -> Iterator[ReplicatedPair]:
    """The session's primary and replica; ask for `pair` instead."""
    with ReplicatedPair(binary("valkey9")) as replicated:
        yield replicated


@pytest.fixture
def pair(formed_pair: ReplicatedPair) -> ReplicatedPair:
    """An empty primary and its replica, whose roles the test may change."""
    formed_pair.heal()
    return formed_pair


@pytest.fixture
def following(pair: ReplicatedPair, tmp_path: Path) -> Following:
    """A producer at the primary and followers at its replica."""
    return Following(pair, tmp_path)


@pytest.fixture(scope="session")
def formed_lone_node(session_directory: Path) -> Iterator[Server]:
    """The session's cluster of one node; ask for `lone_node` instead."""
    with Server(binary("valkey9"), ("--cluster-enabled", "yes")) as server:
        call(server, "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        wait_until(lambda: b"cluster_state:ok" in call(server, "CLUSTER", "INFO"), description="the cluster serves")
        yield server


@pytest.fixture
def lone_node(formed_lone_node: Server) -> Server:
    """An empty cluster of one node that holds all slots."""
    call(formed_lone_node, "FLUSHALL")
    return formed_lone_node


@pytest.fixture
def node_link(lone_node: Server) -> Iterator[FaultyLink]:
    """The link to the node, which announces itself there."""
    with FaultyLink(lone_node.port) as opened:
        call(lone_node, "CONFIG", "SET", "cluster-announce-port", opened.port)
        yield opened
