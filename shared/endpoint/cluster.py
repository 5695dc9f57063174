"""A cluster: each key is on the primary of its slot, which redis-py's cluster client knows and keeps up to date.

Wires go straight to the nodes. The cluster client's own pipelines were rejected: they send what failed again, even with
retries off, which doubles pushes (redis-py #3554). Single commands are routed by `RoutedCluster`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from redis.cluster import ClusterNode, RedisCluster

from shared.endpoint.arguments import new_connection
from shared.endpoint.endpoint import Endpoint, scan_server
from shared.endpoint.routed import RoutedCluster
from shared.endpoint.topology import ServerKind
from shared.endpoint.translation import translated
from shared.endpoint.url import EndpointUrl
from shared.endpoint.wire import Wire
from shared.errors import HandoverError, NotAllowedError, WrongEndpointError

if TYPE_CHECKING:
    import redis


class ClusterEndpoint(Endpoint):
    """All primaries of a cluster, found from any one node."""

    def __init__(self, url: EndpointUrl, arguments: dict[str, Any], kind: ServerKind) -> None:
        """Ask the node which slots are where.

        Where nodes announce addresses that their certificate does not name, as under the OSS policy of Azure Managed
        Redis, the given host name is kept and only their ports are taken.

        Raises:
            ConnectionLostError: The node does not answer, or the cluster does not cover all slots.
            NotAllowedError: Wrong password or certificate.
            WrongEndpointError: A database other than 0 was given.
        """
        self.name = str(url)
        self.kind = kind
        if url.database:
            advice = "leave it off the URL"
            raise WrongEndpointError(
                where=self.name, expected="database 0, all a cluster has", got="another", advice=advice
            )
        self._url = url
        self._arguments = {name: value for name, value in arguments.items() if name != "ssl_min_version"}
        self._cluster = self._connect_verified()
        self.client = cast("redis.Redis", self._cluster)  # the same commands, routed

    def _connect_verified(self) -> RedisCluster:
        """Connect to the nodes' own addresses; to the given host name, when a certificate does not name one of them."""
        if not self._url.is_tls or _is_address(self._url.hosts[0][0]):
            return self._connect(keeps_host=False)
        try:
            cluster = self._connect(keeps_host=False)
            if all(self._is_named_by_certificate(cluster, node) for node in cluster.get_primaries()):
                return cluster
            cluster.close()
        except NotAllowedError as error:  # redis-py asks one of the nodes for its commands, at once
            if "certificate" not in error.expected:
                raise
        return self._connect(keeps_host=True)

    def _connect(self, *, keeps_host: bool) -> RedisCluster:
        host, port = self._url.hosts[0]
        if self._url.is_tls and host == "localhost":
            host = (
                "Localhost"  # redis-py puts an address in the place of the other spelling; certificates name the host
            )
        with translated(self.name, is_cluster=True):
            return RoutedCluster(
                startup_nodes=[ClusterNode(host, port)],
                address_remap=(lambda address: (host, address[1])) if keeps_host else None,
                ssl=self._url.is_tls,
                **self._arguments,
            )

    def _is_named_by_certificate(self, cluster: RedisCluster, node: ClusterNode) -> bool:
        try:
            Wire(new_connection(cluster.get_redis_connection(node).connection_pool), self.name, is_cluster=True).close()
        except NotAllowedError as error:
            if "certificate" not in error.expected:
                raise
            return False
        except HandoverError:
            return True  # a node that does not answer now says nothing about its certificate
        return True

    def wire(self, key: str) -> Wire:
        """Open a connection to the primary of a key's slot."""
        return self._node_wire(self._node(key))

    def node_of(self, key: str) -> str:
        """Return host and port of the primary of a key's slot."""
        return str(self._node(key).name)

    def server_us(self, key: str) -> int:
        """Return the clock of the primary of a key's slot."""
        with self.translated():
            seconds, microseconds = self._node_client(self._node(key)).time()
        return seconds * 1_000_000 + microseconds

    def scan(self, pattern: str, *, limit_s: float | None = None) -> Iterator[bytes]:
        """Yield the keys that match a glob pattern, one primary after the other."""
        for node in self._cluster.get_primaries():
            with self.translated():
                yield from scan_server(self._node_client(node), pattern, limit_s=limit_s)

    def primaries(self) -> list[str]:
        """Return host and port of each primary."""
        return sorted(str(node.name) for node in self._cluster.get_primaries())

    def refresh(self) -> None:
        """Ask anew which slots are where; the given host, too, where none of the nodes known so far answers."""
        with self.translated():
            self._cluster.nodes_manager.initialize(additional_startup_nodes_info=[self._url.hosts[0]])

    def close(self) -> None:
        """Close every connection of the client."""
        self._cluster.close()

    def _node(self, key: str) -> ClusterNode:
        with self.translated():
            slot = self._cluster.keyslot(key)
            return self._cluster.nodes_manager.get_node_from_slot(slot)

    def _node_client(self, node: ClusterNode) -> redis.Redis:
        return self._cluster.get_redis_connection(node)

    def _node_wire(self, node: ClusterNode) -> Wire:
        with self.translated():
            connection = new_connection(self._node_client(node).connection_pool)
        return Wire(connection, f"{self.name} node {node.name}", is_cluster=True)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
