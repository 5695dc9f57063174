"""A follower whose connection ends in the middle: what was begun is ended, once, or given up in time."""

from __future__ import annotations

import pytest

from tests.faulty_link import FaultyLink
from tests.topologies.following import Following
from tests.topologies.replicas import ReplicatedPair

LOST = [
    (b"XREVRANGE", 1), (b"XREAD", 1), (b"XREAD", 3), (b"TIME", 1), (b"TIME", 3), (b"state", 1), (b"run:", 1),
    (b"LLEN", 1), (b"LRANGE", 1), (b"LRANGE", 12), (b"max_value_bytes", 4), (b"cart:1", 1), (b"sku:", 1),
]  # fmt: skip


@pytest.mark.parametrize(("request_text", "nth"), LOST)
def test_a_lost_reply_costs_a_second_reading_at_most(
    *, request_text: bytes, nth: int, following: Following, pair: ReplicatedPair
) -> None:
    """Also while the report is made, when the run is complete already."""
    run_id = following.produce(count=30_000, segment_values=10_000)
    with FaultyLink(pair.replica.port) as link:
        link.lose_reply(request_text, nth=nth)
        report = following.follow(url=link.url)
    assert link.cuts == 1
    assert (report.run_id, report.verdict, len(report.carts)) == (run_id, "verified", 1)
    assert len(following.replica.reports) == 1
    assert following.checkpoint()["reported"] == [run_id]
