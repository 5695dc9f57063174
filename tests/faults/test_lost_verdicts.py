"""Verdicts that are gone, or are about an attempt that is gone: a resume brings the run to a verdict on what is there.

The entries were acknowledged, so without another signal no consumer would ever look at those segments again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.tokens import make_token
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers, stored_values

if TYPE_CHECKING:
    import redis

COUNT, SEGMENT, SEGMENTS = 450, 100, 5
DAY_MS = 86_400_000
Loss = Callable[["redis.Redis", str, int], object]


def _rewrite(client: redis.Redis, key: str, number: int, **fields: Any) -> None:
    verdict = json.loads(cast("bytes", client.hget(key, str(number))))
    client.hset(key, str(number), json.dumps(verdict | fields))


LOSSES: dict[str, Loss] = {
    "result": lambda client, key, _: client.delete(key),
    "field": lambda client, key, number: client.hdel(key, str(number)),
    "unreadable": lambda client, key, number: client.hset(key, str(number), "{"),
    "of_another_segment": lambda client, key, number: _rewrite(client, key, number, segment=number % SEGMENTS + 1),
    "earlier_attempt": lambda client, key, number: _rewrite(client, key, number, attempt=make_token(0)),
    "later_attempt": lambda client, key, number: _rewrite(client, key, number, attempt=make_token(9 * 10**12)),
    "another_digest": lambda client, key, number: _rewrite(client, key, number, digest="0" * 32),
    "another_count": lambda client, key, number: _rewrite(client, key, number, count=99),
    "other_segments": lambda client, key, number: _rewrite(client, key, number, segments=SEGMENTS + 1),
    "superseded": lambda client, key, number: _rewrite(client, key, number, verdict="superseded"),
}


@pytest.mark.parametrize("number", range(1, SEGMENTS + 1))
@pytest.mark.parametrize("loss", LOSSES)
def test_a_verdict_that_is_gone_is_asked_for_again(
    *, loss: str, number: int, hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=COUNT, segment_values=SEGMENT)
    hand_over.consume()
    LOSSES[loss](client, keys.result(summary.run_id), number)
    there = client.xlen(keys.signals())
    resumed = hand_over.produce(resume=summary.run_id)
    assert client.xlen(keys.signals()) - there == (SEGMENTS if loss == "result" else 1)
    hand_over.consume(run_id=summary.run_id)
    assert hand_over.produce(resume=summary.run_id, await_verdict_s=1).attempts == 0
    assert client.xlen(keys.signals()) - there == (SEGMENTS if loss == "result" else 1)
    assert resumed.digest == summary.digest
    assert stored_values(client, keys, SEGMENTS) == numbers(COUNT)


def test_a_resume_signals_nothing_again_that_has_its_verdict(
    hand_over: HandOver, client: redis.Redis, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=COUNT, segment_values=SEGMENT)
    hand_over.consume()
    hand_over.produce(resume=summary.run_id)
    assert client.xlen(keys.signals()) == SEGMENTS


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[bytes], str]:
    """Writes a file of lines; one like another has as many, and the longest is as long."""

    def write(letter: bytes) -> str:
        file = tmp_path / "values"
        file.write_bytes(b"".join(b"%b%03d\n" % (letter, number) for number in range(COUNT)))
        return str(file)

    return write


@pytest.mark.parametrize("number", range(1, SEGMENTS + 1))
@pytest.mark.parametrize("ahead_ms", [0, 1_000, 3_600_000, DAY_MS, 30 * DAY_MS, 3_650 * DAY_MS])
@pytest.mark.parametrize("named_in", ["result", "signals", "state"])
def test_a_new_attempt_is_later_than_everything_that_names_the_run(
    *,
    named_in: str,
    ahead_ms: int,
    number: int,
    hand_over: HandOver,
    client: redis.Redis,
    keys: Keyspace,
    lines: Callable[[bytes], str],
) -> None:
    """The first attempts were made by a server whose clock was ahead, and list and state are lost since then."""
    run_id = hand_over.produce(values=lines(b"a"), segment_values=SEGMENT).run_id
    hand_over.consume()
    seconds, _ = client.time()
    later = make_token(int(seconds) * 1_000 + ahead_ms, after=run_id)
    result_key, state_key = keys.result(run_id), keys.state(keys.segment(number))
    if named_in == "result":
        _rewrite(client, result_key, number, attempt=later)
    elif named_in == "signals":
        fields = dict(entries_of(client, keys.signals()))
        said = next(each for each in fields.values() if each[b"segment"] == b"%d" % number)
        entry_id = client.xadd(keys.signals(), {**said, b"attempt": later})  # type: ignore[dict-item]
        client.xreadgroup(CONSUMER_GROUP, "gone", {keys.signals(): ">"}, count=1)
        client.xack(keys.signals(), CONSUMER_GROUP, entry_id)
    else:
        client.hset(state_key, "attempt", later)
    for other in range(1, SEGMENTS + 1):
        kept = [keys.state(keys.segment(other))] if named_in == "state" and other == number else []
        client.delete(*{keys.segment(other), keys.state(keys.segment(other))} - {*kept})
    summary = hand_over.produce(resume=run_id, values=lines(b"b"))
    assert client.hget(state_key, "attempt") > later.encode()  # type: ignore[operator]
    with pytest.raises(NotFinishedError):  # the verdicts are about what was there
        hand_over.produce(resume=run_id, values=lines(b"b"), await_verdict_s=0.1)
    report = hand_over.consume(run_id=run_id)
    while report.digest != summary.digest:
        report = hand_over.consume(run_id=run_id)
    assert report.verdict == "verified"
    assert hand_over.produce(resume=run_id, values=lines(b"b"), await_verdict_s=1).attempts == 0
