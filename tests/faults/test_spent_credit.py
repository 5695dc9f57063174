"""A link that carries its first bytes out of credit and is slow then: what is under way follows, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.credit_link import CreditLink
from tests.stage.hand_over_by_programs import assert_exact
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

COUNT = 170_000
CREDIT_BYTES = 1024 * 1024


@pytest.mark.parametrize("server_kind", ["valkey9"], indirect=True)
def test_no_more_is_under_way_than_a_slow_link_carries_in_time(
    server: Server, namespace: str, client: redis.Redis, keys: Keyspace
) -> None:
    """A window that kept the best rate of 64 batches had 1.4 MB under way, on faster links 2.9 MB."""

    def link() -> CreditLink:
        return CreditLink(server.port, credit_bytes=CREDIT_BYTES, bytes_per_s=500_000, round_trip_s=0.06)

    with link() as link_a:
        a = run_program("server-a", "run", "--count", str(COUNT), "--json", server=link_a.url, namespace=namespace)
    assert a.exit_code == 0, a.stderr
    with link() as link_b:
        b = run_program("server-b", "run", "--once", "--json", server=link_b.url, namespace=namespace)
    assert b.exit_code == 0, b.stderr
    with link() as link_read:
        read = run_program("server-b", "read", server=link_read.url, namespace=namespace)
    assert len(read.stdout_bytes.split()) == COUNT
    for lane in (link_a.lanes["to_server"], link_b.lanes["to_client"], link_read.lanes["to_client"]):
        assert lane.carried > 1.5 * CREDIT_BYTES, "the credit was not spent"
        assert lane.most_waiting <= CREDIT_BYTES
    summary, report = a.json(), b.json()
    assert_exact(client, keys, summary, report, count=COUNT)
    assert (summary["attempts"], summary["outages"], report["outages"]) == (1, 0, 0)
