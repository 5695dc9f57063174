"""What is said of an endpoint before anything is sent to it."""

from __future__ import annotations

import pytest

from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.program.warnings import warn


def said(url: str) -> list[str]:
    """Return the sentences about a URL."""
    sentences: list[str] = []
    warn(EndpointSettings(url=parse_url(url), warn=lambda _, sentence: sentences.append(sentence)))
    return sentences


@pytest.mark.parametrize("host", ["shop.redis.cache.windows.net", "SHOP.REDIS.CACHE.WINDOWS.NET."])
def test_a_host_of_the_azure_service_that_ends_gets_a_sentence(host: str) -> None:
    (sentence,) = said(f"rediss://:s3cr7t9@{host}:6380")
    assert sentence.startswith(f"{host.lower()} is a name of Azure Cache for Redis, which ends on 2028-09-30")
    assert "NAME.REGION.redis.azure.net:10000" in sentence
    assert "s3cr7t9" not in sentence


@pytest.mark.parametrize(
    "host", ["shop.westeurope.redis.azure.net", "redis.cache.windows.net.example", "redis.example", "localhost"]
)
def test_any_other_host_gets_none(host: str) -> None:
    assert said(f"rediss://{host}:10000") == []
