"""What `status` says when a run is finished and a verdict can't come any more, or is about something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.status.command import status_text
from shared.status.findings import ANSWERED, DIFFERENT, GONE, UNSIGNALLED
from shared.status.status import read_status
from shared.tokens import make_token, token_ms
from tests.stage.hand_over_in_process import OLDER, Group, HandOver, entries_of
from tests.stage.status_checks import DONE, UNFINISHED, WRONG, require_status

if TYPE_CHECKING:
    import redis

Damage = Callable[["redis.Redis", Keyspace, str], object]


def _answer_alone(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Have a consumer take and acknowledge the first signal, and record nothing."""
    client.xgroup_create(keys.signals(), CONSUMER_GROUP, id="0")
    client.xreadgroup(CONSUMER_GROUP, "b", {keys.signals(): ">"}, count=1)
    client.xack(keys.signals(), CONSUMER_GROUP, entries_of(client, keys.signals())[0][0])


def _throw_pending_away(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Remove a consumer that has all entries, as a late XGROUP DELCONSUMER does."""
    client.xgroup_create(keys.signals(), CONSUMER_GROUP, id="0")
    client.xreadgroup(CONSUMER_GROUP, "b", {keys.signals(): ">"})
    client.xgroup_delconsumer(keys.signals(), CONSUMER_GROUP, "b")


def _publish_again(client: redis.Redis, keys: Keyspace, run_id: str) -> None:
    """Leave the state of a kill between publication and XADD."""
    client.hset(keys.state(keys.segment(2)), "attempt", make_token(token_ms(run_id), after=run_id))


UNREAD: dict[
    str, tuple[Damage, str, int]
] = {  # what is done, the cause, and how many signals still count as undelivered
    "trimmed": (lambda client, keys, _: client.xtrim(keys.signals(), maxlen=0), f"2 {GONE}", 0),
    "half trimmed": (lambda client, keys, _: client.xtrim(keys.signals(), maxlen=1, approximate=False), f"1 {GONE}", 1),
    "stream deleted": (lambda client, keys, _: client.delete(keys.signals()), f"2 {GONE}", 0),
    "acknowledged alone": (_answer_alone, f"1 {ANSWERED}", 1),
    "consumer removed": (_throw_pending_away, f"2 {ANSWERED}", 0),
    "published again": (_publish_again, f"1 {DIFFERENT}", 2),
    "never signalled": (lambda client, keys, run: client.hdel(keys.run(run), "signal:2"), f"1 {UNSIGNALLED}", 2),
    "signal id that is none": (
        lambda client, keys, run: client.hset(keys.run(run), "signal:1", "x"),
        f"1 {UNSIGNALLED}",
        2,
    ),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_run_that_nobody_read_and_nobody_will(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace, name: str
) -> None:
    damage, cause, undelivered = UNREAD[name]
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    damage(client, keys, run_id)
    status = read_status(endpoint, keys)
    waiting = [f"{undelivered} signals not delivered"] if undelivered else []
    require_status(status, UNFINISHED, f"on 0 of 2 segments: {cause}", *waiting)
    assert status.problems[0].endswith(f"; signal again with: server-a run --resume {run_id}")
    assert (status.group.lag, status.group.has_undelivered) == (undelivered, bool(undelivered))


VERIFIED_BEFORE: dict[str, tuple[Damage, str]] = {
    "result": (lambda client, keys, run: client.delete(keys.result(run)), f"on 0 of 2 segments: 2 {ANSWERED}"),
    "verdict": (lambda client, keys, run: client.hdel(keys.result(run), "2"), f"on 1 of 2 segments: 1 {ANSWERED}"),
    "attempt": (
        lambda client, keys, _: client.hset(keys.state(keys.segment(1)), "attempt", OLDER),
        f"on 1 of 2 segments: 1 {DIFFERENT}",
    ),
    "digest": (
        lambda client, keys, _: client.hset(keys.state(keys.segment(1)), "digest", "0" * 32),
        f"on 1 of 2 segments: 1 {DIFFERENT}",
    ),
    "published again": (_publish_again, f"on 1 of 2 segments: 1 {DIFFERENT}"),
    "result and stream": (
        lambda client, keys, run: client.delete(keys.result(run), keys.signals()),
        f"on 0 of 2 segments: 2 {GONE}",
    ),
}


@pytest.mark.parametrize("name", VERIFIED_BEFORE)
def test_a_run_that_was_verified_and_whose_verdict_is_gone_or_of_something_else(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace, name: str
) -> None:
    damage, words = VERIFIED_BEFORE[name]
    run_id = hand_over.produce(count=20, segment_values=10).run_id
    hand_over.consume()
    require_status(read_status(endpoint, keys), DONE)
    damage(client, keys, run_id)
    status = read_status(endpoint, keys)
    require_status(status, UNFINISHED, f"{words}; signal again with: server-a run --resume {run_id}")
    assert status.runs[0].verdict == "pending"


@pytest.mark.parametrize("field", ["attempt", "digest"])
def test_a_verdict_on_another_list_is_none(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace, field: str
) -> None:
    result = keys.result(hand_over.produce(count=10).run_id)
    hand_over.consume()
    other = json.loads(client.hget(result, "1") or b"") | {field: {"attempt": OLDER, "digest": "0" * 32}[field]}
    client.hset(result, "1", json.dumps(other))
    require_status(read_status(endpoint, keys), UNFINISHED, f"on 0 of 1 segments: 1 {ANSWERED}")


def test_entries_that_were_trimmed_while_pending(
    hand_over: HandOver, group: Group, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    hand_over.produce(count=10)
    assert group.member("gone").read_new(block_ms=100) is not None
    client.xtrim(keys.signals(), maxlen=0)
    require_status(read_status(endpoint, keys), UNFINISHED, f"1 {GONE}", "1 signals delivered and not acknowledged")


def test_signals_that_were_trimmed_before_they_were_read_do_not_count_for_ever(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    """Redis 7 and Valkey 9 say a lag of 3 from then on, though a server-b has read all there is."""
    hand_over.produce(count=10)
    hand_over.consume()
    hand_over.produce(count=30, segment_values=10)
    client.xtrim(keys.signals(), maxlen=0)
    hand_over.produce(count=10)
    assert (read_status(endpoint, keys).group.lag, read_status(endpoint, keys).group.has_undelivered) == (1, True)
    hand_over.consume()
    status = read_status(endpoint, keys)
    require_status(status, DONE)
    assert status.group.lag == 0
    assert [(run.verdict, run.segments) for run in status.runs] == [("verified", 1)]


def test_a_run_whose_lists_were_removed_is_lost(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    run_id = hand_over.produce(count=10).run_id
    hand_over.consume()
    client.hset(keys.state(keys.segment(1)), mapping={"count": 0, "digest": ""})
    client.delete(keys.segment(1))
    status = read_status(endpoint, keys)
    require_status(status, WRONG, f"{keys.segment(1)} is not that of run {run_id}; write it again with: server-a run")


def test_older_runs_without_a_verdict_are_superseded(
    hand_over: HandOver, endpoint: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    older = [hand_over.produce(count=10).run_id for _ in range(2)]
    client.xtrim(keys.signals(), maxlen=1, approximate=False)  # the first one's signal will never be read
    newest = hand_over.produce(count=10).run_id
    status = read_status(endpoint, keys)
    found = {run.run_id: (run.verdict, run.reason) for run in status.runs}
    assert found == {newest: ("pending", ""), older[1]: ("superseded", f"by run {newest}")}
    assert f"0 verdicts, superseded (by run {newest})" in status_text(status)
    assert status.problems == []


@pytest.mark.parametrize("entry", [{"alarm": "fire"}, {"run_id": "x"}])
def test_a_stream_of_somebody_elses(
    endpoint: Endpoint, client: redis.Redis, keys: Keyspace, entry: dict[str, str]
) -> None:
    client.xadd(keys.signals(), entry)  # type: ignore[arg-type]
    status = read_status(endpoint, keys)
    require_status(status, UNFINISHED, f"{keys.signals()} holds 1 entries, of which none that was read is a signal")
    assert "--namespace" in status.problems[0]
