"""An endpoint where one server holds all keys: a plain one, a unix socket, a proxy, a Sentinel group's primary.

redis-py's own search for the primary is not used: it reports a name that no Sentinel knows, a group whose primary is
down and Sentinels that do not answer with one error, which quotes the client's whole configuration.
"""

from __future__ import annotations

from typing import Any, cast

from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import MasterNotFoundError, Sentinel

from shared.endpoint.checked_client import CheckedClient
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodeClient
from shared.endpoint.passwords import without_sent
from shared.endpoint.pools import PoolMaker
from shared.endpoint.server_kind import ask_kind
from shared.endpoint.url import has_encoding
from shared.errors import NotAllowedError, TransientError, WrongEndpointError

_REFUSALS = (AuthenticationError, ResponseError)


class Sentinels(Sentinel):
    """The Sentinels that a URL names; they are asked with a login of their own or none, never with the primary's."""

    def __init__(self, pools: PoolMaker) -> None:
        super().__init__([])  # type: ignore[no-untyped-call]
        hosts = pools.url.hosts
        self.sentinels = [CheckedClient(pools.of_sentinel(*host)) for host in hosts]
        self._name = str(pools.url)
        self.have_answered = False  # whether one of them has said anything of its groups

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the group's primary, from the first Sentinel that sees it up.

        Raises:
            WrongEndpointError: All of them answered, and none knows the group.
            NotAllowedError: Some ask for another login than they got, and no other knows the group.
            redis.RedisError: The primary is down, or too few answered to tell; ask again. Or one refused to answer.

        Redis: SENTINEL MASTERS; O(groups).
        """
        known: set[str] = set()
        failure: Exception | None = None
        for number, sentinel in enumerate(self.sentinels):
            try:
                groups = cast("dict[str, dict[str, Any]]", sentinel.sentinel_masters())
            except RedisError as error:
                failure = failure if isinstance(failure, _REFUSALS) else error
                continue
            self.have_answered = True
            known.update(groups)
            group = groups.get(service_name)
            if group and not (group["is_sdown"] or group["is_odown"]):
                self.sentinels.insert(0, self.sentinels.pop(number))  # the next time this one is asked first
                if not has_encoding(group["ip"], "idna"):
                    expected, got = "the address of a primary", "a host name that can't be one"
                    raise WrongEndpointError(where=self._name, expected=expected, got=got)
                return group["ip"], group["port"]
        if service_name in known:
            raise MasterNotFoundError(f"Sentinels that see no primary of '{service_name}' up")
        if isinstance(failure, AuthenticationError):
            expected, got = "a login that the Sentinels accept", without_sent(str(failure)).rstrip(".")
            advice = (
                "the URL's user and password are the primary's and are not sent to them; give theirs with "
                "--sentinel-password-file, its variable or ?sentinel_password=, and a user with ?sentinel_username="
            )
            raise NotAllowedError(where=self._name, expected=expected, got=got, advice=advice) from failure
        if isinstance(failure, ResponseError):
            raise failure
        if failure is not None:
            raise RedisConnectionError(f"Sentinels that do not answer: {failure}") from failure
        expected, got = "the name of a group that its Sentinels watch", f"'{service_name}'"
        advice = f"they watch {', '.join(sorted(known)) or 'none'}"
        raise WrongEndpointError(where=self._name, expected=expected, got=got, advice=advice)

    def close(self) -> None:
        """Close the connections to all of them."""
        for sentinel in self.sentinels:
            sentinel.connection_pool.disconnect()


class StandaloneEndpoint(Endpoint):
    """One server at a time; with Sentinels, each new connection asks them for the primary."""

    def __init__(self, pools: PoolMaker) -> None:
        """Connect and find out what is there.

        Raises:
            TransientError: Nobody answers, or a Sentinel group is in a failover.
            WrongEndpointError: A Sentinel, where a server that holds data should be, or a group that none knows.
        """
        super().__init__()
        url = pools.url
        self.name = str(url)
        self._sentinels = Sentinels(pools) if url.is_sentinel else None
        self._client = NodeClient(pools.of_url(self._sentinels), self.name, pools.provider)
        try:
            self.kind, self.slots = ask_kind(self._client)
        except TransientError as error:
            # their primary does not, as in the midst of a failover: the URL is right
            error.answered = error.answered or (self._sentinels is not None and self._sentinels.have_answered)
            self.close()
            raise
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
