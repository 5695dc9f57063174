"""What the record of a run says beside what is to be written: the command, outages, samples, attempts under way."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest

from server_a.run import record as run_record
from server_a.run import writing
from shared.endpoint import window
from shared.errors import NotFinishedError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import OLDER, RUN, HandOver, list_keys
from tests.stage.seen_stops import SeenStop
from tests.stage.status_checks import begun_run

if TYPE_CHECKING:
    import redis

Fields = dict[bytes, bytes]


@pytest.fixture
def record(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> Callable[[], Fields]:
    """Reads the record of the run that was begun last."""

    def read() -> Fields:
        return cast("Fields", client.hgetall(keys.run(begun_run(hand_over))))

    return read


def _attempts(fields: Fields) -> dict[bytes, bytes]:
    return {name: token for name, token in fields.items() if name.startswith(b"attempt:")}


def _points(fields: Fields, name: bytes) -> list[list[int]]:
    points: list[list[int]] = json.loads(fields[name])
    return points


def _now_ms(client: redis.Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1_000 + int(microseconds) // 1_000


def test_the_command_is_kept_without_the_password(hand_over: HandOver, record: Callable[[], Fields]) -> None:
    url = hand_over.url.replace("//", "//default:s3cr7t9@")
    hand_over.produce(url=url, count=30, segment_values=10, users=2, overwrite=True)
    assert shlex.split(record()[b"command"].decode()) == [
        "server-a", "run", "--count", "30", "--segment-values", "10", "--users", "2",
        "--url", hand_over.url.replace("//", "//default@"), "--namespace", hand_over.keys.namespace, "--overwrite",
    ]  # fmt: skip


def test_a_resumed_run_keeps_its_command(hand_over: HandOver, record: Callable[[], Fields]) -> None:
    run_id = hand_over.produce(count=30, seed=3).run_id
    command = record()[b"command"]
    assert b"--seed 3" in command
    hand_over.produce(resume=run_id)
    assert record()[b"command"] == command


def test_outages_are_kept_in_the_servers_time(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    began_ms = _now_ms(client)
    for nth in (3, 20):
        link.at(b"LPUSHX", lambda: None, nth=nth, is_forwarded=False)
    hand_over.produce(url=link.url, count=20_000)
    moments = [moment for outage in _points(record(), b"outages") for moment in outage]
    assert len(moments) == 2 * 2
    assert began_ms <= moments[0] < moments[1] <= moments[2] < moments[3]
    assert moments[3] <= _now_ms(client) + 5  # carried on by another clock than the server's


def test_a_run_without_an_outage_says_so(hand_over: HandOver, record: Callable[[], Fields]) -> None:
    hand_over.produce(count=10)
    assert record()[b"outages"] == b"[]"


def test_a_resumed_run_adds_its_outages(hand_over: HandOver, link: FaultyLink, record: Callable[[], Fields]) -> None:
    link.at(b"LPUSHX", lambda: None, is_forwarded=False)
    run_id = hand_over.produce(url=link.url, count=5_000).run_id
    first = _points(record(), b"outages")
    link.at(b"XRANGE", lambda: None, is_forwarded=False)  # the audit
    hand_over.produce(url=link.url, resume=run_id)
    both = _points(record(), b"outages")
    assert (both[:1], len(both)) == (first, 2)
    assert first[0][1] <= both[1][0] < both[1][1]


def _require_samples(client: redis.Redis, fields: Fields, *, count: int, began_ms: int) -> None:
    points = _points(fields, b"samples")
    moments = [moment for moment, _ in points]
    assert len(points) <= 600
    assert moments == sorted(moments)
    assert began_ms <= moments[0]
    assert moments[-1] <= _now_ms(client)
    assert points[-1][1] == count


@pytest.mark.parametrize("count", [1, 10_000, 300_000])
def test_the_last_sample_has_all_values(
    count: int, hand_over: HandOver, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    began_ms = _now_ms(client)
    hand_over.produce(count=count, segment_values=100_000)
    _require_samples(client, record(), count=count, began_ms=began_ms)


def test_there_are_at_most_six_hundred_samples(
    hand_over: HandOver, client: redis.Redis, record: Callable[[], Fields], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_record, "FIRST_STEP_MS", 0)  # a sample for each of a thousand batches
    monkeypatch.setattr(writing, "TELL_EVERY_S", 0)
    monkeypatch.setattr(window, "MAX_BYTES", window.LEAST_BYTES)  # else many batches may be answered at once
    began_ms = _now_ms(client)
    hand_over.produce(count=1_000_000)
    _require_samples(client, record(), count=1_000_000, began_ms=began_ms)
    assert len(_points(record(), b"samples")) > 300


def test_values_that_are_written_again_count_once(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    def lose_a_segment() -> None:
        client.unlink(keys.segment(2), keys.state(keys.segment(2)))

    began_ms = _now_ms(client)
    link.at(b"LPUSHX", lambda: None, nth=15, is_forwarded=False)
    link.at(b"XRANGE", lose_a_segment)  # the audit
    summary = hand_over.produce(url=link.url, count=30_000, segment_values=10_000)
    lost = hand_over.events().count("attempt lost")  # with the connection: all that it carried and was not answered
    assert (lost > 0, summary.attempts) == (True, 3 + lost + 1)
    assert (summary.segments_rewritten, summary.lost_acknowledged) == (1, 10_000)
    _require_samples(client, record(), count=30_000, began_ms=began_ms)


def test_a_resumed_run_counts_on(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    began_ms = _now_ms(client)
    with closing(StopRequest()) as stop:
        link.at(b"XADD", stop.request, nth=2)
        with pytest.raises(NotFinishedError):
            hand_over.produce(url=link.url, stop=stop, count=30_000, segment_values=10_000)
    hand_over.produce(resume=begun_run(hand_over))
    _require_samples(client, record(), count=30_000, began_ms=began_ms)


def test_an_attempt_is_named_while_it_is_under_way(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    """Looked at when the first segment is published, at its signal, and when the second is published.

    The second is written, under a token that is noted too, while the first is published and signalled.
    """
    seen: dict[str, tuple[dict[bytes, bytes], set[str]]] = {}

    def look(moment: str) -> None:
        seen[moment] = (_attempts(record()), {key for key in list_keys(client, keys) if ":staging:" in key})

    link.at(b"RENAME", lambda: look("first"))
    link.at(b"XADD", lambda: look("signal"))
    link.at(b"RENAME", lambda: look("second"), nth=2)
    hand_over.produce(url=link.url, count=20_000, segment_values=10_000)
    both = {b"attempt:1", b"attempt:2"}
    assert set(seen["first"][0]) == set(seen["signal"][0]) == both
    assert set(seen["second"][0]) in (both, {b"attempt:2"})
    for (attempts, staging), number in ((seen["first"], 1), (seen["second"], 2)):
        token = attempts[b"attempt:%d" % number].decode()
        assert keys.staging(keys.segment(number), token) in staging
    assert len(seen["second"][1]) == 1
    assert not _attempts(record())


def test_attempts_of_segments_written_again_are_forgotten_too(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    link.at(b"LPUSHX", lambda: None, nth=5, is_forwarded=False)
    link.at(b"XRANGE", lambda: client.unlink(keys.segment(1), keys.state(keys.segment(1))))  # the audit
    hand_over.produce(url=link.url, count=20_000, segment_values=10_000)
    assert not _attempts(record())


def test_a_resume_removes_what_attempts_under_way_had_written(
    hand_over: HandOver, link: FaultyLink, keys: Keyspace, client: redis.Redis, record: Callable[[], Fields]
) -> None:
    """As a kill leaves it; what no record names may be somebody else's attempt, and ends by its time to live."""
    with closing(SeenStop()) as stop:
        link.at(b"RENAME", stop.request_and_be_seen)  # so no other segment is published
        with pytest.raises(NotFinishedError):
            hand_over.produce(url=link.url, stop=stop, count=30_000, segment_values=10_000)
    run_id = begun_run(hand_over)
    named, other = (keys.staging(keys.segment(2), token) for token in (RUN, OLDER))
    for key in (named, other):
        client.rpush(key, "1")
        client.expire(key, 3_600)
    client.hset(keys.run(run_id), "attempt:2", RUN)
    found: dict[str, Any] = {}
    link.at(b"LPUSH\r\n", lambda: found.update(named=client.exists(named), other=client.exists(other)))
    assert hand_over.produce(url=link.url, resume=run_id).run_id == run_id
    assert found == {"named": 0, "other": 1}
    assert client.exists(other)
    assert not _attempts(record())
