"""What is said on stderr at any log level: options that do nothing, and protection that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.endpoint.settings import EndpointSettings
from shared.program.output import tell


def warn(endpoint: EndpointSettings) -> None:
    """Say which options remove protection or do nothing."""
    for sentence in _about_tls(endpoint):
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
