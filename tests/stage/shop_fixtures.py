"""A shop of the test's own on each server in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.servers import Server
from server_a.shop.sample import write_shop
from server_a.shop.shop import Shop
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace


@pytest.fixture
def keys(namespace: str) -> Keyspace:
    """The keys of the test's namespace."""
    return Keyspace(namespace)


@pytest.fixture
def endpoint(server: Server) -> Iterator[Endpoint]:
    """An endpoint of the product on each shared server in turn."""
    opened = open_endpoint(EndpointSettings(url=parse_url(server.url)))
    yield opened
    opened.close()


@pytest.fixture
def shop(endpoint: Endpoint, keys: Keyspace) -> Shop:
    """A shop with the sample of the exercise in it."""
    write_shop(endpoint, keys, users=1, skus=2, carts=1, seed=1)
    return Shop(endpoint, keys)
