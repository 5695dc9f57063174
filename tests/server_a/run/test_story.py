"""Whole runs of the producer: what stands under which key afterwards, and what older runs leave behind."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.servers import Server
from server_a.run.settings import DAY_MS
from shared.digest import run_digest
from shared.errors import WrongEndpointError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from shared.tokens import is_token, make_token
from tests.stage.faulty_link import FaultyLink, resp
from tests.stage.hand_over_in_process import DIGEST, OLDER, HandOver, entries_of, list_keys, numbers, stored_values
from tests.stage.raw import call

if TYPE_CHECKING:
    import redis


def _state(client: redis.Redis, keys: Keyspace, key: str) -> SegmentState | None:
    return SegmentState.decode(key, client.hmget(keys.state(key), SegmentState.FIELDS))


def _signals(client: redis.Redis, keys: Keyspace) -> list[Signal]:
    return [Signal.decode(fields) for _, fields in entries_of(client, keys.signals())]


OLD_ENTRY: dict[Any, Any] = {**Signal(OLDER, OLDER, 1, 1, 10, DIGEST).encode()}


@pytest.mark.parametrize(
    ("count", "segment_values", "segments"),
    [(1, 1, 1), (2, 1, 2), (1_000, 1_000, 1), (2_501, 1_000, 3), (5_000, 777, 7), (3, 100_000_000, 1)],
)
def test_each_segment_has_its_list_its_state_and_its_signal(
    *,
    count: int,
    segment_values: int,
    segments: int,
    hand_over: HandOver,
    keys: Keyspace,
    client: redis.Redis,
) -> None:
    summary = hand_over.produce(count=count, segment_values=segment_values)
    assert (summary.count, summary.segments, summary.attempts) == (count, segments, segments)
    assert stored_values(client, keys, segments) == numbers(count)
    assert list_keys(client, keys) == {keys.segment(number) for number in range(1, segments + 1)}
    signals = _signals(client, keys)
    assert [signal.segment for signal in signals] == list(range(1, segments + 1))
    assert summary.digest == run_digest(signal.digest for signal in signals)
    for signal in signals:
        key = keys.segment(signal.segment)
        assert _state(client, keys, key) == SegmentState(summary.run_id, signal.attempt, signal.count, signal.digest)
        assert client.ttl(key) == client.ttl(keys.state(key)) == -1
    assert sum(signal.count for signal in signals) == count


@pytest.mark.parametrize("count", [1, 10_000, 12_345])
def test_a_digest_depends_on_the_values_alone(count: int, hand_over: HandOver, tmp_path: Path) -> None:
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(numbers(count)))
    first, second = hand_over.produce(count=count), hand_over.produce(count=count, users=3)
    lines = hand_over.produce(values=str(file))
    assert first.digest == second.digest == lines.digest
    assert first.run_id < second.run_id < lines.run_id


@pytest.mark.parametrize(("before", "after"), [(7, 3), (7, 1), (1, 3), (3, 7), (250, 2), (2, 2)])
def test_a_run_removes_what_older_runs_left(
    *, before: int, after: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=before * 10, segment_values=10)
    newer = hand_over.produce(count=after * 10, segment_values=10)
    assert stored_values(client, keys, after) == numbers(after * 10)
    own = {keys.segment(number) for number in range(1, after + 1)}
    assert list_keys(client, keys) == own
    for number in range(1, before + 1):
        key = keys.segment(number)
        state = _state(client, keys, key)
        assert state is not None
        assert state.run_id == newer.run_id
        if key not in own:
            assert state.count == 0
            assert 0 < client.pttl(keys.state(key)) <= 7 * DAY_MS


def test_only_what_was_removed_is_said_to_be(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis
) -> None:
    """Between the audit and the removal somebody takes the state of the highest one away, and so its list stays."""
    hand_over.produce(count=30, segment_values=10)
    state_key = keys.state(keys.segment(3))
    link.at(resp("WATCH", state_key), lambda: client.unlink(state_key))
    hand_over.produce(url=link.url, count=10, segment_values=10)
    assert list_keys(client, keys) == {keys.segment(1), keys.segment(3)}
    removed = [entry["key"] for entry in hand_over.logged.entries if entry["event"] == "old segment removed"]
    assert removed == [keys.segment(2)]


def test_old_segments_are_removed_from_the_top_down(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    hand_over.produce(count=7)
    hand_over.produce(count=50, segment_values=10)
    hand_over.logged.entries.clear()
    hand_over.produce(count=20, segment_values=10)
    removed = [entry["key"] for entry in hand_over.logged.entries if entry["event"] == "old segment removed"]
    assert removed == [keys.segment(number) for number in (5, 4, 3)]
    hand_over.logged.entries.clear()
    hand_over.produce(count=7)
    removed = [entry["key"] for entry in hand_over.logged.entries if entry["event"] == "old segment removed"]
    assert removed == [keys.segment(2)]


@pytest.mark.parametrize(
    ("absent", "left"),
    [([*range(3, 102)], 0), ([*range(3, 63), *range(70, 130)], 0), ([*range(3, 103)], 150 - 102)],
    ids=["99", "60 and 60", "100"],
)
def test_old_segments_are_looked_for_until_a_hundred_in_a_row_are_absent(
    absent: list[int], left: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=150, segment_values=1)
    for number in absent:
        key = keys.segment(number)
        client.unlink(key, keys.state(key))
    hand_over.produce(count=2, segment_values=1)
    own = {keys.segment(number) for number in (1, 2)}
    assert own <= list_keys(client, keys)
    assert len(list_keys(client, keys) - own) == left


def test_a_run_id_is_greater_than_any_that_is_found(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    future = make_token(int(time.time() * 1_000) + DAY_MS // 2)  # of a server whose clock was ahead
    old = hand_over.produce(count=30, segment_values=10)
    client.hset(keys.state(keys.segment(3)), mapping={"run_id": future, "attempt": future})
    newer = hand_over.produce(count=5)
    assert is_token(newer.run_id)
    assert old.run_id < future < newer.run_id
    assert hand_over.produce(count=5).run_id > newer.run_id


@pytest.mark.parametrize("retain_days", [None, 1, 30])
def test_run_and_signals_are_kept_for_the_retention(
    retain_days: int | None, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    retain_ms = (retain_days or 7) * DAY_MS
    # nodes of a stream are trimmed whole; they hold a hundred entries
    for _ in range(150):
        client.xadd(keys.signals(), OLD_ENTRY, id="1-*")
    summary = hand_over.produce(count=30, segment_values=10, retain_days=retain_days)
    assert retain_ms - 60_000 < client.pttl(keys.run(summary.run_id)) <= retain_ms
    assert client.hmget(keys.run(summary.run_id), "published", "segments", "count") == [b"3", None, b"30"]
    assert int(client.hget(keys.run(summary.run_id), "finished_ms") or 0) > 0
    assert client.xlen(keys.signals()) < 60


_LONG = b"x" * 1_048_576


@pytest.mark.parametrize("segment_values", [1_000_000, 1_500, 333, 1])
@pytest.mark.parametrize(
    "lines",
    [
        [b"one"],
        [b"", b"", b""],
        [b"a\r", b"\xff\xfe", b"", b"*3\r", b"$5\r", "ü".encode(), b"\0"],
    ],
)
def test_lines_are_values_as_they_are(
    *, lines: list[bytes], segment_values: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    file = tmp_path / "values"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    summary = hand_over.produce(values=str(file), segment_values=segment_values)
    assert summary.count == len(lines)
    assert stored_values(client, keys, summary.segments) == lines
    assert hand_over.consume().verdict == "verified"


@pytest.mark.parametrize("segment_values", [1_000_000, 1_500, 333])
def test_segments_of_lines_need_not_end_with_blocks(
    segment_values: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    lines = [b"line %d" % number * (number % 7) for number in range(4_321)]
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(lines))
    summary = hand_over.produce(values=str(file), segment_values=segment_values)
    assert stored_values(client, keys, summary.segments) == lines
    report = hand_over.consume()
    assert (report.verdict, report.digest, report.count) == ("verified", summary.digest, 4_321)


def test_lines_of_a_mebibyte_arrive_in_small_chunks(
    hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    lines = [b"%d" % number + _LONG[:-2] for number in range(10, 20)] + [b"short"] * 1_500
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(lines) + b"\n")
    summary = hand_over.produce(values=str(file), segment_values=1_505)
    assert stored_values(client, keys, summary.segments) == lines
    chunks = client.hmget(keys.run(summary.run_id), "chunk_values:1", "chunk_values:2")
    assert chunks == [b"4", b"1000"]
    report = hand_over.consume()
    shown = (b"10" + _LONG)[:200].decode() + "… (1,048,576 bytes)"
    assert (report.verdict, report.first, report.last) == ("verified", ["short"] * 10, shown)


def test_signals_older_than_the_retention_are_gone_to_the_last_one(
    hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    for number in range(1, 11):
        client.xadd(keys.signals(), OLD_ENTRY, id=f"{number}-1")
    hand_over.produce(count=10)
    assert len(entries_of(client, keys.signals())) == 1


def test_signals_younger_than_the_retention_stay(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    seconds, microseconds = client.time()
    begins_ms = seconds * 1_000 + microseconds // 1_000 - DAY_MS
    ids = [f"{begins_ms + minutes * 60_000}-0" for minutes in (-60, -1, 10, 60)]  # the server's clock goes on
    for entry_id in ids:
        client.xadd(keys.signals(), OLD_ENTRY, id=entry_id)
    hand_over.produce(count=10, retain_days=1)
    assert [entry_id for entry_id, _ in entries_of(client, keys.signals())][:-1] == ids[2:]


@pytest.mark.redis_server
@pytest.mark.parametrize("request_text", [b"LPUSH", b"XADD"])
def test_a_run_whose_primary_became_a_replica_says_how_to_go_on(request_text: bytes, own_server: Server) -> None:
    hand_over = HandOver(own_server.url, Keyspace())
    with FaultyLink(own_server.port) as link:
        link.at(request_text, lambda: call(own_server, "REPLICAOF", "127.0.0.1", 1))
        with pytest.raises(WrongEndpointError, match="got a read-only replica; give the primary's URL") as caught:
            hand_over.produce(url=link.url, count=10, patience_s=0)
    command = shlex.split(caught.value.advice.rpartition("go on with: ")[2])
    assert command[:3] == ["server-a", "run", "--resume"]
    call(own_server, "REPLICAOF", "NO", "ONE")
    assert hand_over.produce(resume=command[3]).count == 10


@pytest.mark.redis_server
def test_a_run_that_met_a_replica_before_it_began_has_nothing_to_go_on_with(own_server: Server) -> None:
    with FaultyLink(own_server.port) as link:
        link.at(b"HSET", lambda: call(own_server, "REPLICAOF", "127.0.0.1", 1))
        with pytest.raises(WrongEndpointError) as caught:
            HandOver(link.url, Keyspace()).produce(count=10, patience_s=0)
    assert "--resume" not in str(caught.value)
