"""Opening an endpoint: what kind it is is found out, never asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.endpoint.arguments import connection_arguments
from shared.endpoint.cluster import ClusterEndpoint
from shared.endpoint.diagnosis import diagnosed
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.entra import entra_provider
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.single import SingleEndpoint
from shared.endpoint.url import parse_url
from shared.errors import ConnectionLostError, HandoverError, WrongEndpointError

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
        EndpointUnreachableError: Nobody answers; there is no patience for a first connection, which shows a wrong URL.
        NotFinishedError: A server answered but is not ready, as while it loads.
        NotAllowedError: Wrong password, certificate or token.
        WrongEndpointError: A kind of server we can't work with, or TLS where there is none and the other way round.
    """
    url = parse_url(settings.url)
    if provider is None and settings.auth == "entra":
        provider = entra_provider()
    arguments = connection_arguments(url, settings, provider)
    try:
        single = SingleEndpoint(url, arguments)
        if not single.kind.is_cluster:
            return single
        kind = single.kind
        try:
            cluster = ClusterEndpoint(url, arguments, kind)
        except HandoverError as error:
            if isinstance(error, WrongEndpointError) and "cluster support disabled" in error.got:
                return single  # a proxy in front of a cluster: one endpoint for all slots
            single.close()
            raise
    except ConnectionLostError as error:
        raise diagnosed(error, url, settings) from error
    single.close()
    return cluster
