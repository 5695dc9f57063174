"""Asking Sentinels for the primary of the group they watch.

redis-py's own question was rejected for what it says when there is no answer: a name that no Sentinel knows, a group
whose primary is down and Sentinels that are away all read alike, and the last quote the client's whole configuration.
"""

from __future__ import annotations

from typing import Any, cast

from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from shared.endpoint.url import EndpointUrl
from shared.errors import NotAllowedError, WrongEndpointError

_LOGIN = ("username", "password", "credential_provider", "db")
_REFUSALS = (AuthenticationError, ResponseError)


class Sentinels(Sentinel):
    """The Sentinels that a URL names."""

    def __init__(self, url: EndpointUrl, arguments: dict[str, Any]) -> None:
        """Prepare to ask.

        Args:
            url: Where they are, and the group's name.
            arguments: For connections, those with a TLS key included; the login is the primary's, and not sent here.
        """
        own = {name: value for name, value in arguments.items() if name not in _LOGIN}
        super().__init__(list(url.hosts), sentinel_kwargs=own | ({"ssl": True} if url.is_tls else {}))  # type: ignore[no-untyped-call]
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


def sentinel_pool(url: EndpointUrl, arguments: dict[str, Any]) -> SentinelConnectionPool:
    """Return a pool of connections to the group's primary, which is looked up anew for each."""
    return SentinelConnectionPool(url.service, Sentinels(url, arguments), ssl=url.is_tls, **arguments)
