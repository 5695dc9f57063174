"""What is said on stderr at any log level: options that do nothing, protection that is missing, a service that ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.endpoint.settings import EndpointSettings
from shared.program.output import tell

AZURE_CACHE = ".redis.cache.windows.net"
"""Host names of Azure Cache for Redis, the service before Azure Managed Redis."""


def warn(endpoint: EndpointSettings) -> None:
    """Say which options remove protection or do nothing, and which host is of a service that ends."""
    for sentence in (*_about_tls(endpoint), *_about_azure(endpoint)):
        endpoint.warn(endpoint.program, sentence)


def warn_of_peer(ours: EndpointSettings, peer: EndpointSettings | None, given: Mapping[str, str | None]) -> None:
    """Say which options of the peer's endpoint, given by name, do nothing."""
    for name in (name for name, value in given.items() if value):
        if peer is None:
            ours.warn(ours.program, f"{name} does nothing: there is no --peer-url")
        elif name == peer.tls_ca_option and not peer.url.is_tls:
            ours.warn(ours.program, f"{name} does nothing: the peer's URL is not rediss://")


def tell_warning(program: str, sentence: str) -> None:
    """Print a warning."""
    tell(f"{program}: warning: {sentence}")


def _about_tls(endpoint: EndpointSettings) -> Iterator[str]:
    if endpoint.url.is_tls:
        if endpoint.tls_insecure:
            yield "--tls-insecure: neither the server's certificate nor its host name is verified"
    elif endpoint.tls_insecure or endpoint.tls_ca or endpoint.tls_cert:
        yield "TLS options do nothing: the URL is not rediss://"
    if endpoint.sentinel_password_file and not endpoint.url.is_sentinel:
        yield "--sentinel-password-file does nothing: the URL names no Sentinels"


def _about_azure(endpoint: EndpointSettings) -> Iterator[str]:
    """Yield where a database moves to, for each host of the service that ends.

    Source: https://learn.microsoft.com/azure/redis/migrate/migrate-basic-standard-premium-with-tooling
    """
    for host, _ in endpoint.url.hosts:
        if host.lower().rstrip(".").endswith(AZURE_CACHE):
            yield (
                f"{host} is a name of Azure Cache for Redis, which ends on 2028-09-30; where its data have moved to "
                "Azure Managed Redis, use NAME.REGION.redis.azure.net:10000"
            )
