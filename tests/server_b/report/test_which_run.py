"""Which run `--once` ends at: said where another one may have been meant, with `--run` as the cure."""

from __future__ import annotations

from typing import Any

import pytest

from demo.servers import Server
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.tokens import make_token, token_ms
from tests.stage.hand_over_in_process import DIGEST, RUN, HandOver
from tests.stage.turns import TurnCounter

BACKLOG = 5_000
MAX_TURNS = 20


@pytest.mark.parametrize("count", [1, 10, 3_000])
def test_a_run_that_was_complete_before_is_named_with_the_option(hand_over: HandOver, count: int) -> None:
    summary = hand_over.produce(count=count)
    hand_over.consume()
    for _ in range(3):
        with pytest.raises(NotFinishedError) as caught:
            hand_over.consume(wait_s=0.1)
        assert caught.value.got == f"none after run {summary.run_id}, which --run {summary.run_id} ends at"


def test_an_older_run_that_ends_it_is_named_beside_the_newer_one(
    hand_over: HandOver, client: Any, keys: Keyspace
) -> None:
    """The newer run's signals have begun to come, after the first one's whole run."""
    summary = hand_over.produce(count=10)
    newer = make_token(token_ms(summary.run_id) + 3_600_000)
    client.xadd(keys.signals(), Signal(newer, RUN, 2, 5, 10, DIGEST).encode())
    assert hand_over.consume().run_id == summary.run_id
    told = [entry for entry in hand_over.logged.entries if "newer_run_id" in entry]
    assert [(entry["run_id"], entry["newer_run_id"]) for entry in told] == [(summary.run_id, newer)]


@pytest.mark.parametrize("is_behind", [True, False])
def test_a_named_run_that_is_complete_waits_for_no_backlog(
    hand_over: HandOver, server: Server, client: Any, keys: Keyspace, *, is_behind: bool
) -> None:
    """The lists of the others never came: each would be looked for, and waited for."""
    named = hand_over.produce(count=10).run_id
    hand_over.consume()
    others = [make_token(token_ms(named) - number) for number in range(1, BACKLOG + 1)]
    with client.pipeline(transaction=False) as pipeline:
        for other in others:
            pipeline.xadd(keys.signals(), Signal(other, other, 1, 1, 10, DIGEST).encode())
        if is_behind:  # as where the group was lost: its own signal is unread too, behind all others
            pipeline.xadd(keys.signals(), next(iter(client.xrange(keys.signals(), count=1)))[1])
        pipeline.execute()
    with TurnCounter(server.port) as counter:
        report = hand_over.consume(run_id=named, url=f"redis://127.0.0.1:{counter.port}")
    assert (report.run_id, report.verdict) == (named, "verified")
    assert counter.times("XREADGROUP") == 0, str(counter)
    assert counter.turns <= MAX_TURNS, str(counter)
