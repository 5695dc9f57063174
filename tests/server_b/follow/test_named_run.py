"""`--run` where the server is a replica: the signals of other runs are passed over by pages, not one by one."""

from __future__ import annotations

import random

import pytest

from server_b.follow.signal_stream import PAGE
from shared.signal import Signal
from shared.tokens import make_token, token_ms
from tests.stage.following import Following
from tests.stage.hand_over_in_process import DIGEST
from tests.stage.replicas import ReplicatedPair
from tests.stage.servers import connect
from tests.stage.turns import TurnCounter

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

BACKLOG = 5_000


@pytest.mark.parametrize("seed", range(3))
def test_a_named_run_behind_a_backlog_takes_a_few_pages(seed: int, following: Following, pair: ReplicatedPair) -> None:
    rng = random.Random(seed)
    named = following.produce(count=30, segment_values=10)
    with connect(pair.primary) as client, client.pipeline(transaction=False) as pipeline:
        own = client.xrange("signals")
        pipeline.delete("signals")
        for number in range(1, BACKLOG + 1):
            other = make_token(token_ms(named) - number)
            pipeline.xadd("signals", Signal(other, other, 1, 1, 10, DIGEST).encode())
            if rng.random() < 0.01:
                pipeline.xadd("signals", {"no": "signal"})
        for _, fields in own:
            pipeline.xadd("signals", fields)
        pipeline.execute()
    following.wait_until_in_step()
    with TurnCounter(pair.replica.port) as counter:
        report = following.follow(run_id=named, url=counter.url)
    assert (report.run_id, report.verdict, report.count) == (named, "verified", 30)
    assert counter.times("XREAD") <= 20 + BACKLOG / PAGE, str(counter)
    assert following.replica.events().count("entry skipped") == 0
