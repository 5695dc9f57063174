"""What `status` says where records and results have expired, as they do a week after the last run, or signals lack."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from server_a.run.outcome import RunSummary
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, VerificationFailedError
from shared.keys import Keyspace
from shared.status.command import status_text
from shared.status.status import read_status
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, list_keys
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, begun_run, require_status, run_stopped_at
from tests.stage.status_scene import Scene, scene

if TYPE_CHECKING:
    import redis

__all__ = ["scene"]


def _expire(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Do what the time to live of a run's record and results does in the end."""
    client.delete(keys.run(run_id), keys.result(run_id))


def test_a_verified_run_is_all_right_when_record_and_results_have_expired(scene: Scene) -> None:
    """Where they are gone within a day they were lost: see test_situations_of_losses.py."""
    scene.verify()
    scene.lose("record result")
    run_id = scene.age()
    status, _ = scene.look()
    require_status(status, DONE)
    assert [(run.has_record, run.segments, run.verdict) for run in status.runs] == [(False, 2, "unknown")]
    assert f"Run {run_id}: 2 segments, record expired or not readable here; 0 verdicts, unknown" in status_text(status)


def test_its_lists_are_judged_all_the_same(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    _expire(client, keys, run_id)
    client.rpop(keys.segment(2))
    require_status(read_status(endpoint, keys), WRONG, f"{keys.segment(2)} has 9 values where its state says 10")
    client.delete(keys.segment(2), keys.state(keys.segment(2)))
    require_status(read_status(endpoint, keys), UNFINISHED, f"1 of 2 segments are not those of run {run_id}")


def test_a_run_that_nobody_took_waits_for_its_consumer_still(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    _expire(client, keys, hand_over.produce(count=10).run_id)
    require_status(read_status(endpoint, keys), UNFINISHED, "1 signals not delivered")


def test_a_run_that_was_stopped_is_not_to_be_resumed_without_its_record(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    _expire(client, keys, run_stopped_at(b"XADD", hand_over, link))
    status = read_status(endpoint, keys)
    unpublished = 3 - len(list_keys(client, keys))  # others may have been on their way when the first was signalled
    words = [f"{unpublished} of 3 segments are not those of run"] if unpublished else []
    require_status(status, UNFINISHED, *words, "1 signals not delivered")
    assert "--resume" not in status_text(status)


def test_results_that_are_still_there_count(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=20, segment_values=10)
    client.lset(keys.segment(1), 0, "x")
    with pytest.raises(VerificationFailedError):
        hand_over.consume()
    client.delete(keys.run(summary.run_id))
    require_status(read_status(endpoint, keys), WRONG, "failed: segment 1: changed")
    client.hdel(keys.result(summary.run_id), "1")
    require_status(read_status(endpoint, keys), UNFINISHED, "verdicts on 1 of 2 segments")


def _killed_before_its_signal(hand_over: HandOver, link: FaultyLink, count: int) -> str:
    """Have a run end between its publication and its signal, and return its id."""
    link.at(b"XADD", lambda: None, is_forwarded=False)
    with pytest.raises(HandoverError):
        hand_over.produce(url=link.url, patience_s=0.0, count=count)
    return begun_run(hand_over)


@pytest.mark.parametrize("older_segment_values", [10, 5])
def test_a_run_that_published_without_a_signal_is_found_by_its_state_alone(
    *, hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, older_segment_values: int
) -> None:
    keys = hand_over.keys
    older = hand_over.produce(count=10, segment_values=older_segment_values)
    hand_over.consume()
    run_id = _killed_before_its_signal(hand_over, link, 20)
    status = read_status(endpoint, keys)
    require_status(status, UNFINISHED, f"server-a run --resume {run_id}", "verdicts on 0 of 1")
    assert [run.run_id for run in status.runs] == [run_id, older.run_id]


def test_a_run_that_left_its_state_alone_is_not_to_be_resumed(
    hand_over: HandOver, link: FaultyLink, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    older = hand_over.produce(count=10)
    hand_over.consume()
    run_id = _killed_before_its_signal(hand_over, link, 20)
    _expire(client, keys, run_id)
    status = read_status(endpoint, keys)
    words = f"{keys.segment(1)} is that of run {run_id}, of which neither a record nor a signal is here"
    require_status(status, UNFINISHED, words)
    assert [run.run_id for run in status.runs] == [older.run_id]
    assert "--resume" not in status_text(status)
    client.delete(keys.signals())
    _expire(client, keys, older.run_id)
    require_status(read_status(endpoint, keys), UNFINISHED, words)


def test_a_run_that_publishes_while_status_looks_is_named_with_what_resumes_it(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace
) -> None:
    """Its id is known from the segments alone, since runs had been looked for before it began."""
    hand_over.produce(count=20, segment_values=10)
    hand_over.consume()
    newer: list[RunSummary] = []
    link.at(b"LLEN", lambda: newer.append(hand_over.produce(count=20, segment_values=10)))
    with closing(open_endpoint(EndpointSettings(url=parse_url(link.url)))) as linked:
        status = read_status(linked, keys)
    words = f"{keys.segment(1)} is that of the newer run {newer[0].run_id}; if it was stopped, go on with: server-a run"
    require_status(status, UNFINISHED, words)
