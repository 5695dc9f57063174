"""A follower can't write: how far it is it tells nobody but its own terminal."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage.following import Following
from tests.stage.held_reading import HeldReading
from tests.stage.replicas import ReplicatedPair
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]


def test_a_follower_does_not_even_try(following: Following, pair: ReplicatedPair) -> None:
    following.produce(count=400_000)
    with HeldReading(pair.replica.port, after_bytes=300_000) as link, ThreadPoolExecutor(1) as pool:
        report = pool.submit(following.follow, url=link.url, wait_s=60.0)
        try:
            wait_until(lambda: link.pings >= 2, description="the reading has lasted two seconds")
        finally:
            link.release()
        assert report.result().verdict == "verified"
        assert link.scripts == 0
