"""An endpoint where one server holds all keys: a plain one, a unix socket, a proxy, a Sentinel group's primary."""

from __future__ import annotations

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.pools import PoolMaker
from shared.endpoint.sentinels import Sentinels
from shared.endpoint.server_kind import ask_kind
from shared.endpoint.url import EndpointUrl
from shared.errors import TransientError, WrongEndpointError


class StandaloneEndpoint(Endpoint):
    """One server at a time; behind Sentinels it is looked up anew at each connection."""

    def __init__(self, url: EndpointUrl, pools: PoolMaker) -> None:
        """Connect and find out what is there.

        Raises:
            TransientError: Nobody answers, or a Sentinel group is in a failover.
            NotAllowedError: Wrong password or certificate.
            WrongEndpointError: A Sentinel, where a server that holds data should be, or a group none knows.
        """
        self.name = str(url)
        self._sentinels = Sentinels(url, pools) if url.is_sentinel else None
        self._client = NodeClient(pools.of_url(self._sentinels), self.name, provider=pools.provider)
        self.kind, self.slots = ask_kind(self._client)
        if self.kind.mode == "sentinel":
            advice = "write redis+sentinel://host1,host2/NAME for the group it watches"
            raise WrongEndpointError(
                where=self.name, expected="a server that holds data", got="a Sentinel", advice=advice
            )
        if url.is_sentinel and self.kind.is_replica:
            raise TransientError(
                where=self.name, expected="the group's primary", got="a replica, as in a failover", answered=True
            )

    def at(self, key: str) -> NodeClient:
        """Return the client; every key is on the same server."""
        del key
        return self._client

    def node_of(self, key: str) -> str:
        """Return the endpoint's name; every key is on the same server."""
        del key
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
