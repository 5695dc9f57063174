"""Which runs `--every` keeps, also where the server's replies are lost."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_a.run.kept_runs import KeptRuns
from shared.endpoint.opening import open_endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.fields import SCHEMA_VERSION
from shared.keys import Keyspace
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink

if TYPE_CHECKING:
    import redis

RUN_IDS = [f"20200101T00000000{number}Z-abcdef" for number in range(4)]


@pytest.mark.parametrize(("lost", "times"), [(b"HMGET", 1), (b"HMGET", 3), (b"PEXPIRE", 1)])
def test_a_run_that_is_added_again_after_a_lost_reply_counts_once(
    *, lost: bytes, times: int, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    for run_id in RUN_IDS:
        client.hset(keys.run(run_id), mapping={"schema_version": SCHEMA_VERSION, "command": "server-a run --every 0 "})
    kept = KeptRuns(keys, most=3)
    kept.run_ids = RUN_IDS[:3]
    with closing(open_endpoint(EndpointSettings(parse_url(link.url)))) as endpoint, closing(StopRequest()) as stop:
        retry = Retry(60, stop, on_outage=lambda _: None, refresh=endpoint.refresh)
        for nth in range(1, times + 1):
            link.lose_reply(lost, nth=nth)
        retry.keep_trying(kept.add, endpoint, RUN_IDS[3])
    assert link.cuts == times
    assert kept.run_ids == RUN_IDS[1:]
    assert client.pexpiretime(keys.run(RUN_IDS[0])) != -1, "it goes"
    assert [client.pttl(keys.run(run_id)) for run_id in RUN_IDS[1:]] == [-1, -1, -1]
