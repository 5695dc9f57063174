"""An endpoint where one server holds all keys: a plain one, a unix socket, a proxy, a Sentinel group's primary."""

from __future__ import annotations

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.pools import PoolMaker
from shared.endpoint.sentinels import Sentinels
from shared.endpoint.server_kind import ask_kind
from shared.errors import TransientError, WrongEndpointError


class StandaloneEndpoint(Endpoint):
    """One server at a time; with Sentinels, each new connection asks them for the primary."""

    def __init__(self, pools: PoolMaker) -> None:
        """Connect and find out what is there.

        Raises:
            TransientError: Nobody answers, or a Sentinel group is in a failover.
            WrongEndpointError: A Sentinel, where a server that holds data should be, or a group that none knows.
        """
        url = pools.url
        self.name = str(url)
        self._sentinels = Sentinels(pools) if url.is_sentinel else None
        self._client = NodeClient(pools.of_url(self._sentinels), self.name, provider=pools.provider)
        self.kind, self.slots = ask_kind(self._client)
        if self.kind.mode == "sentinel":
            expected, advice = "a server that holds data", "write redis+sentinel://host1,host2/NAME for its group"
            raise WrongEndpointError(where=self.name, expected=expected, got="a Sentinel", advice=advice)
        if url.is_sentinel and self.kind.is_replica:
            got = "a replica, as in a failover"
            raise TransientError(where=self.name, expected="the group's primary", got=got, answered=True)

    def at(self, key: str) -> NodeClient:  # noqa: ARG002
        """Return the client; one server holds every key."""
        return self._client

    def node_of(self, key: str) -> str:  # noqa: ARG002
        """Return the endpoint's name; one server holds every key."""
        return self.name

    def primaries(self) -> list[NodeClient]:
        """Return the one client."""
        return [self._client]

    def refresh(self) -> None:
        """Close idle connections, which may lead to a server that is no longer the primary."""
        self._client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        """Close every connection, those to Sentinels too."""
        self._client.connection_pool.disconnect()
        if self._sentinels is not None:
            self._sentinels.close()
