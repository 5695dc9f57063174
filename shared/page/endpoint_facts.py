"""What an endpoint is, for the picture of the two hosts."""

from __future__ import annotations

import time

from shared.endpoint.endpoint import Endpoint, microseconds
from shared.page.facts import EndpointFacts
from shared.text import shortened

ROUND_TRIPS = 3


def endpoint_facts(endpoint: Endpoint, key: str, *, is_encrypted: bool) -> EndpointFacts:
    """Return what an endpoint is, and how far away. Redis: TIME thrice, one after the other."""
    least_s, server_us, host_s, took_s = float("inf"), 0, 0.0, 0.0
    for _ in range(ROUND_TRIPS):
        asked_at = time.perf_counter()
        server_us = microseconds(endpoint.at(key).time())
        host_s, took_s = time.time(), time.perf_counter() - asked_at
        least_s = min(least_s, took_s)
    kind = endpoint.kind
    return EndpointFacts(
        url=endpoint.name,
        server=shortened(kind.server),
        version=shortened(kind.version),
        mode=shortened(kind.mode),
        role=shortened(kind.role),
        is_encrypted=is_encrypted,
        round_trip_ms=round(least_s * 1_000, 3),
        clock_ms=server_us // 1_000,
        host_ms=round((host_s - took_s / 2) * 1_000),
    )
