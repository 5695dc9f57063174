"""What a cluster's map of slots is read as: each key at one primary, or an error when it can't be."""

from __future__ import annotations

from typing import Any

import pytest
from redis.crc import key_slot

from shared.endpoint.cluster import ClusterEndpoint
from shared.endpoint.pools import PoolMaker
from shared.endpoint.server_kind import ServerKind
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, TransientError, WrongEndpointError

URL = "redis://asked:7000"
NODE = [b"one", 7001, b"an-id", []]
WHOLE = [[0, 16_383, NODE]]


def _cluster(slots: Any, *, url: str = URL) -> ClusterEndpoint:
    """Return the cluster that a node describes in this way; nothing connects to it."""
    pools = PoolMaker(EndpointSettings(url=parse_url(url)), None)
    return ClusterEndpoint(pools, ServerKind("valkey", "9.1.2", "cluster", "master"), slots)


def _error(slots: Any) -> HandoverError:
    with pytest.raises(HandoverError) as caught:
        _cluster(slots)
    return caught.value


def _in_thirds(*hosts: bytes) -> list[Any]:
    borders = [0, 5_461, 10_923, 16_384]
    return [
        [first, after - 1, [host, 7001 + number, b"an-id", []], [b"replica", 7009, b"another", []]]
        for number, (host, first, after) in enumerate(zip(hosts, borders, borders[1:], strict=False))
    ]


@pytest.mark.parametrize("turned", [1, -1])
def test_a_key_is_at_the_primary_of_its_slot_whatever_the_order_of_the_ranges(turned: int) -> None:
    cluster = _cluster(_in_thirds(b"one", b"two", b"three")[::turned])
    assert [key_slot(key) for key in (b"foo", b"bar", b"signals")] == [12_182, 5_061, 8_817]
    assert [cluster.node_of(key) for key in ("foo", "bar", "signals")] == ["three:7003", "one:7001", "two:7002"]
    assert cluster.node_of("{bar}:state") == cluster.node_of("bar")
    assert [client.where for client in cluster.primaries()] == [
        f"redis://asked:7000/0 node {name}" for name in ("one:7001", "two:7002", "three:7003")
    ]


def test_the_borders_of_ranges_belong_to_them() -> None:
    slots = [[0, 12_181, [b"a", 1]], [12_182, 12_182, [b"b", 2]], [12_183, 16_383, [b"c", 3]]]
    assert _cluster(slots).node_of("foo") == "b:2"


def test_one_primary_with_several_ranges_is_one_client() -> None:
    slots = [[0, 99, NODE], [100, 16_000, [b"two", 7002]], [16_001, 16_383, NODE]]
    assert len(_cluster(slots).primaries()) == 2


@pytest.mark.parametrize("host", [None, b"", b"?"])
def test_a_node_that_does_not_say_its_host_has_the_one_it_was_asked_at(host: bytes | None) -> None:
    assert _cluster([[0, 16_383, [host, 7005, b"an-id", []]]]).node_of("foo") == "asked:7005"


def test_hosts_may_be_names_and_addresses_of_both_kinds() -> None:
    cluster = _cluster(_in_thirds(b"node-1.example", b"10.0.0.2", b"::1"))
    assert [cluster.node_of(key) for key in ("bar", "signals", "foo")] == [
        "node-1.example:7001",
        "10.0.0.2:7002",
        "::1:7003",
    ]


@pytest.mark.parametrize(
    ("slots", "missing"),
    [
        ([], 0),
        ([[1, 16_383, NODE]], 0),
        ([[0, 16_382, NODE]], 16_383),
        ([[0, 5_000, NODE], [5_002, 16_383, NODE]], 5_001),
        ([[0, 5_000, NODE], [5_000, 16_383, NODE]], 5_001),
    ],
)
def test_slots_that_nobody_holds_may_come_back(slots: list[Any], missing: int) -> None:
    error = _error(slots)
    assert (type(error), error.got) == (TransientError, f"none for slot {missing}")
    assert isinstance(error, TransientError)
    assert error.answered


@pytest.mark.parametrize(
    "slots",
    [
        1,
        None,
        b"OK",
        [1],
        [[]],
        [[0, 16_383]],
        [[0, 16_383, []]],
        [[0, 16_383, [b"one"]]],
        [[0, 16_383, [b"one", b"7001"]]],
        [[0, 16_383, ["one", 7001]]],
        [[b"0", b"16383", NODE]],
        [[0, 16_383, [b"one", 0]]],
        [[0, 16_383, [b"one", 65_536]]],
        [[0, 16_383, [b"x" * 64, 7001]]],
        [[0, 16_383, [b"a..b", 7001]]],
    ],
)
def test_a_reply_of_another_shape_is_refused(slots: Any) -> None:
    error = _error(slots)
    assert (type(error), error.exit_code) == (WrongEndpointError, 78)


def test_a_cluster_has_no_database_but_0() -> None:
    with pytest.raises(WrongEndpointError, match="database 0"):
        _cluster(WHOLE, url=f"{URL}/1")
