"""Open an endpoint from its URL alone: server, replica, Sentinel or cluster is detected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.endpoint.cluster import ClusterEndpoint
from shared.endpoint.diagnosis import diagnosed
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.entra import entra_provider
from shared.endpoint.pools import PoolMaker
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.standalone import StandaloneEndpoint
from shared.errors import TransientError

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

__all__ = ["Endpoint", "open_endpoint"]


def open_endpoint(settings: EndpointSettings, *, provider: CredentialProvider | None = None) -> Endpoint:
    """Connect to the endpoint that the settings name; a first connection is not retried, since the URL may be wrong.

    Args:
        settings: Where and how.
        provider: Gives user and password; None to use the settings.

    Raises:
        InvalidInputError: A password file or a certificate file can't be used.
        EndpointUnreachableError: Nobody answers.
        NotFinishedError: A server answered but is not ready, as while it loads.
        NotAllowedError: Wrong password, certificate or token.
        WrongEndpointError: The wrong kind of server, TLS where there is none, or none where there is.
    """
    if provider is None and settings.auth == "entra":
        provider = entra_provider()
    pools = PoolMaker(settings, provider)
    try:
        endpoint = StandaloneEndpoint(pools)
        if not endpoint.kind.is_cluster:
            return endpoint
        endpoint.close()
        return ClusterEndpoint(pools, endpoint.kind, endpoint.slots)
    except TransientError as error:
        raise diagnosed(error, settings) from error
