"""A shop of the test's own on each server in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from demo.servers import Server
from server_a.shop.sample import Sample
from server_a.shop.sample_writer import SampleWriter
from server_a.shop.shop import Shop
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import TransientError
from shared.keys import Keyspace
from shared.record import ShopCount
from shared.stopping import StopRequest


def _refuse(error: TransientError) -> None:
    raise error


def sample_writer(
    endpoint: Endpoint, keys: Keyspace, sample: Sample, stop: StopRequest, **options: Any
) -> SampleWriter:
    """Return a writer that raises the first fault it meets."""
    retry = Retry(0.0, stop, on_outage=_refuse, refresh=endpoint.refresh)
    return SampleWriter(endpoint, keys, sample, retry=retry, stop=stop, **{"overwrite": False, **options})


def write_shop(endpoint: Endpoint, keys: Keyspace, *, overwrite: bool = False, **size: int) -> ShopCount:
    """Write a sample as a run does that meets no fault, and return what the run counts."""
    with closing(StopRequest()) as stop:
        writer = sample_writer(endpoint, keys, Sample(**{"seed": 1, **size}), stop, overwrite=overwrite)
        writer.look()
        writer.write()
        return writer.count


def sample_keys(keys: Keyspace, *, users: int, skus: int, carts: int) -> list[str]:
    """Return the keys of a sample, SKUs before users before carts."""
    ids = ["sku123", "sku456", *(f"sku{number}" for number in range(1001, 999 + skus))][:skus]
    users_and_carts = [(keys.user, users), (keys.cart, carts)]
    return [*map(keys.sku, ids), *(key(str(n)) for key, count in users_and_carts for n in range(1, count + 1))]


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
