"""Opening an endpoint; give only the URL: server, replica, Sentinel or cluster is detected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.endpoint.cluster import ClusterEndpoint
from shared.endpoint.diagnosis import diagnosed
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.entra import entra_provider
from shared.endpoint.pools import PoolMaker
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.standalone import StandaloneEndpoint
from shared.endpoint.url import parse_url
from shared.errors import TransientError

if TYPE_CHECKING:
    from redis.credentials import CredentialProvider

__all__ = ["Endpoint", "open_endpoint"]


def open_endpoint(settings: EndpointSettings, *, provider: CredentialProvider | None = None) -> Endpoint:
    """Connect to the endpoint that the settings name.

    Args:
        settings: Where and how.
        provider: Where user and password come from; with `--auth entra` made here when None.

    Raises:
        InvalidInputError: The URL, a password file or a certificate file can't be used.
        EndpointUnreachableError: Nobody answers; a first connection is not retried, since that shows a wrong URL.
        NotFinishedError: A server answered but is not ready, as while it loads.
        NotAllowedError: Wrong password, certificate or token.
        WrongEndpointError: A kind of server we can't work with, or TLS where there is none and the other way round.
    """
    url = parse_url(settings.url)
    if provider is None and settings.auth == "entra":
        provider = entra_provider()
    pools = PoolMaker(url, settings, provider)
    try:
        endpoint = StandaloneEndpoint(url, pools)
        if not endpoint.kind.is_cluster:
            return endpoint
        endpoint.close()
        return ClusterEndpoint(url, pools, endpoint.kind, endpoint.slots)
    except TransientError as error:
        raise diagnosed(error, url, settings) from error
