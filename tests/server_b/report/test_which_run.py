"""Which run `--once` ends at: said where another one may have been meant, with `--run` as the cure."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.tokens import make_token, token_ms
from tests.stage.hand_over_in_process import DIGEST, RUN, HandOver


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
