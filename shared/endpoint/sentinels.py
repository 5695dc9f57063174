"""Ask Sentinels for the primary of the group they watch.

redis-py's own search is not used: it reports a name that no Sentinel knows, a group whose primary is down and Sentinels
that do not answer with one error, which quotes the client's whole configuration.
"""

from __future__ import annotations

from typing import Any, cast

import redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import MasterNotFoundError, Sentinel

from shared.endpoint.pools import PoolMaker
from shared.errors import NotAllowedError, WrongEndpointError

_REFUSALS = (AuthenticationError, ResponseError)


class Sentinels(Sentinel):
    """The Sentinels that a URL names; they are asked without a login, since the URL's is the primary's."""

    def __init__(self, pools: PoolMaker) -> None:
        super().__init__([])  # type: ignore[no-untyped-call]
        hosts = pools.url.hosts
        self.sentinels = [redis.Redis(connection_pool=pools.of_host(*host, with_login=False)) for host in hosts]
        self._name = str(pools.url)

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the group's primary, from the first Sentinel that sees it up.

        Raises:
            WrongEndpointError: All of them answered, and none knows the group.
            NotAllowedError: Some ask for a login, and no other knows the group.
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
                self.sentinels.insert(0, self.sentinels.pop(number))  # the next time this one is asked first
                return group["ip"], group["port"]
        if service_name in known:
            raise MasterNotFoundError(f"Sentinels that see no primary of '{service_name}' up")
        if isinstance(failure, AuthenticationError):
            expected, got = "Sentinels that ask for no login", str(failure).rstrip(".")
            advice = "the login of the URL is the primary's and is not sent to them; let them be asked without one"
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
