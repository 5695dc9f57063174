"""What `status` says where records and results have expired, as they do a week after the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.endpoint.client import Endpoint
from shared.errors import VerificationFailedError
from shared.keys import Keyspace
from shared.status import read_status
from shared.status_command import status_text
from tests.faulty_link import FaultyLink
from tests.hand_over import HandOver
from tests.status_checks import DONE, UNFINISHED, WRONG, require_status, run_stopped_at

if TYPE_CHECKING:
    import redis


def _expire(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Do what the time to live of a run's record and results does in the end."""
    client.delete(keys.run(run_id), keys.result(run_id), keys.newest_run())


def test_a_verified_run_is_all_right_without_record_and_results(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    _expire(client, keys, run_id)
    status = read_status(endpoint, keys)
    require_status(status, DONE)
    assert [(run.has_record, run.segments, run.verdict) for run in status.runs] == [(False, 2, "unknown")]
    assert f"Run {run_id}: 2 segments, record expired or not readable here; 0 verdicts, unknown" in status_text(status)


def test_its_lists_are_judged_all_the_same(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    _expire(client, keys, run_id)
    client.rpop(keys.segment(2, 2))
    require_status(read_status(endpoint, keys), WRONG, f"{keys.segment(2, 2)} has 9 values where its state says 10")
    client.delete(keys.segment(2, 2), keys.state(keys.segment(2, 2)))
    require_status(read_status(endpoint, keys), UNFINISHED, f"1 of 2 segments are not those of run {run_id}")


def test_a_run_that_nobody_took_waits_for_its_consumer_still(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    _expire(client, keys, hand_over.produce(count=10).run_id)
    require_status(read_status(endpoint, keys), UNFINISHED, "1 signals not delivered")


def test_a_run_that_was_stopped_is_not_to_be_resumed_without_its_record(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    _expire(client, keys, run_stopped_at(b"LPUSHX", hand_over, link, nth=12))
    status = read_status(endpoint, keys)
    require_status(status, UNFINISHED, "2 of 3 segments are not those of run", "1 signals not delivered")
    assert "--resume" not in status_text(status)


def test_results_that_are_still_there_count(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=20, segment_values=10)
    client.lset(keys.segment(1, 2), 0, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    client.delete(keys.run(summary.run_id), keys.newest_run())
    require_status(read_status(endpoint, keys), WRONG, "failed: segment 1: changed")
    client.hdel(keys.result(summary.run_id), "1")
    require_status(read_status(endpoint, keys), UNFINISHED, "verdicts on 1 of 2 segments")
