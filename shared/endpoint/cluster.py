"""A cluster: each key is on the primary of its slot.

The map of slots is kept here, and each node has a client like any single server. redis-py's cluster client is not used:
its pipelines send what failed again, even with retries off, which doubles pushes (redis-py #3554); it follows
redirections, also to addresses that no certificate names; and it needs the permission for COMMAND and a round trip
more. Here a redirection is a transient error: whoever retries first calls `refresh`.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.pools import PoolMaker
from shared.endpoint.server_kind import ServerKind, Slots
from shared.endpoint.url import has_encoding
from shared.errors import CertificateError, HandoverError, TransientError, WrongEndpointError

Address = tuple[str, int]


class ClusterEndpoint(Endpoint):
    """All primaries of a cluster, found from any one node."""

    def __init__(self, pools: PoolMaker, kind: ServerKind, slots: Slots) -> None:
        """Take what the node at the URL has said of the slots.

        Raises TransientError if not all slots are covered, and WrongEndpointError for a database other than 0.
        """
        super().__init__()
        url = pools.url
        self.name = str(url)
        self.kind = kind
        if url.database:
            expected, advice = "database 0, all a cluster has", "leave it off the URL"
            raise WrongEndpointError(where=self.name, expected=expected, got="another", advice=advice)
        self._pools = pools
        self._first = url.hosts[0]
        self._clients: dict[Address, NodeClient] = {}
        self._keeps_host = False
        self._take(slots, asked=self._first)
        if url.is_tls and not _is_address(self._first[0]):
            # Nodes may announce addresses that their certificate does not name, as under the OSS policy of Azure
            # Managed Redis: then keep the URL's host name and take only their ports.
            self._keeps_host = not all(map(_is_named_by_certificate, self.primaries()))
            self._take(slots, asked=self._first)

    def at(self, key: str) -> NodeClient:
        """Return the client for the primary of a key's slot."""
        return self._client(self._address(key))

    def node_of(self, key: str) -> str:
        """Return host and port of the primary of a key's slot."""
        host, port = self._address(key)
        return f"{host}:{port}"

    def primaries(self) -> list[NodeClient]:
        """Return the clients of all primaries."""
        return [self._client(address) for address in dict.fromkeys(self._addresses)]

    def refresh(self) -> None:
        """Close idle connections and ask the nodes, at last the URL's host, which slots are where."""
        for client in self._clients.values():
            client.connection_pool.disconnect(inuse_connections=False)
        failure: HandoverError | None = None
        for address in dict.fromkeys([*self._addresses, *self._clients, self._first]):
            try:
                return self._take(self._client(address).execute_command("CLUSTER SLOTS"), asked=address)
            except HandoverError as error:
                failure = failure or error
        assert failure is not None, "there is at least the URL's host"
        raise failure

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.connection_pool.disconnect()

    def _address(self, key: str) -> Address:
        return self._addresses[bisect_right(self._starts, key_slot(key.encode("utf-8", "surrogateescape"))) - 1]

    def _client(self, address: Address) -> NodeClient:
        if address not in self._clients:
            where = f"{self.name} node {address[0]}:{address[1]}"
            pool = self._pools.of_host(*address)
            self._clients[address] = NodeClient(pool, where, self._pools.provider, is_cluster=True)
        return self._clients[address]

    def _take(self, slots: Slots, *, asked: Address) -> None:
        """Keep the map of slots of a reply to CLUSTER SLOTS, in which the `asked` node may leave its own host out."""
        next_slot = 0
        starts: list[int] = []
        addresses: list[Address] = []
        for first, last, host, port in sorted(_decoded(slots, self.name)):
            if first != next_slot:
                break
            next_slot = last + 1
            starts.append(first)
            # a node that does not know its name announces none or "?": the host that it was reached by
            announced = asked[0] if host in ("", "?") else host
            addresses.append((self._first[0] if self._keeps_host else announced, port))
        if next_slot != REDIS_CLUSTER_HASH_SLOTS:
            expected, got = "a primary for every slot", f"none for slot {next_slot}"
            raise TransientError(where=self.name, expected=expected, got=got, answered=True)
        self._starts, self._addresses = starts, addresses


def _decoded(slots: object, where: str) -> Iterator[tuple[int, int, str, int]]:
    """Yield first slot, last slot, host (empty when none is announced) and port of each range."""
    for part in slots if isinstance(slots, list) else [slots]:
        match part:
            case [int(first), int(last), [(bytes() | None) as raw_host, int(port), *_], *_]:
                host = (raw_host or b"").decode("utf-8", "backslashreplace")
                if 0 < port < 65_536 and (not host or has_encoding(host, "idna")):
                    yield first, last, host, port
                    continue
        raise WrongEndpointError(where=where, expected="ranges of slots", got="a reply of another shape")


def _is_named_by_certificate(client: NodeClient) -> bool:
    try:
        client.time()
    except CertificateError:
        return False
    except HandoverError:
        pass  # a node that does not answer now says nothing about its certificate
    return True


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False
