"""Asking Sentinels for the primary of the group they watch.

redis-py's own question was rejected for what it says when there is no answer: a name that no Sentinel knows, a group
whose primary is down and Sentinels that are away all read alike, and the last quote the client's whole configuration.
"""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import MasterNotFoundError, Sentinel

from shared.endpoint.pools import PoolMaker
from shared.endpoint.url import EndpointUrl
from shared.errors import NotAllowedError, WrongEndpointError

_REFUSALS = (AuthenticationError, ResponseError)


class Sentinels(Sentinel):
    """The Sentinels that a URL names."""

    def __init__(self, url: EndpointUrl, pools: PoolMaker) -> None:
        """Prepare to ask; the login is the primary's, and not sent here."""
        super().__init__([])  # type: ignore[no-untyped-call]
        self.sentinels = [
            redis.Redis(connection_pool=pools.of_host(host, port, with_login=False)) for host, port in url.hosts
        ]
        self._name = str(url)

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the group's primary, as the first Sentinel that sees it up says.

        Raises:
            WrongEndpointError: All of them answered, and none knows the group.
            NotAllowedError: Some ask for a login of their own, and no other knows the group.
            redis.RedisError: The primary is down, or too few answered to tell; ask again. Or one refused to answer.

        Redis:
            SENTINEL MASTERS; O(groups).
        """
        known: set[str] = set()
        failure: Exception | None = None
        for number, sentinel in enumerate(self.sentinels):
            try:
                groups = cast("dict[str, dict[str, Any]]", sentinel.sentinel_masters())
            except RedisError as error:
                failure = failure if isinstance(failure, _REFUSALS) else error
                continue
            known.update(groups)
            group = groups.get(service_name)
            if group and not (group["is_sdown"] or group["is_odown"]):
                self.sentinels.insert(0, self.sentinels.pop(number))  # who knew it now is asked first the next time
                return group["ip"], group["port"]
        if service_name in known:
            raise MasterNotFoundError(f"Sentinels that see no primary of '{service_name}' up")
        if isinstance(failure, AuthenticationError):
            advice = "the login of the URL is the primary's and is not sent to them; let them be asked without one"
            raise NotAllowedError(
                where=self._name,
                expected="Sentinels that ask for no login",
                got=str(failure).rstrip("."),
                advice=advice,
            ) from failure
        if isinstance(failure, ResponseError):
            raise failure
        if failure is not None:
            raise RedisConnectionError(f"Sentinels that do not answer: {failure}") from failure
        raise WrongEndpointError(
            where=self._name,
            expected="the name of a group that its Sentinels watch",
            got=f"'{service_name}'",
            advice=f"they watch {', '.join(sorted(known)) or 'none'}",
        )

    def close(self) -> None:
        """Close the connections to all of them."""
        for sentinel in self.sentinels:
            sentinel.connection_pool.disconnect()
