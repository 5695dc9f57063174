"""`server-b read`: the whole current list in reverse, one value a line."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_b.segment.whole_list import values_in_reverse
from shared.endpoint import together
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import HandoverError, NotFinishedError, SegmentChangedError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver, entries_of, numbers
from tests.stage.programs import environment_of, run_program
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis


def _read(endpoint: Endpoint, keys: Keyspace, *, limit: int | None = None) -> list[bytes]:
    return [value for values in values_in_reverse(endpoint, keys, limit=limit) for value in values]


@pytest.mark.parametrize(("count", "segment_values"), [(1, 10), (10_000, 10_000), (12_345, 777), (3_000, 1_000)])
def test_all_values_come_newest_first_over_all_segments(
    *, count: int, segment_values: int, hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=count, segment_values=segment_values)
    assert _read(endpoint, keys) == numbers(count)[::-1]


@pytest.mark.parametrize("limit", [0, 1, 999, 1_000, 1_001, 2_500, 3_000, 9_999])
def test_a_limit_counts_values_over_all_segments(
    limit: int, hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=3_000, segment_values=1_100)
    assert _read(endpoint, keys, limit=limit) == numbers(3_000)[::-1][:limit]


def test_the_first_value_takes_as_many_round_trips_however_many_segments_there_are(
    hand_over: HandOver, server: Server, keys: Keyspace
) -> None:
    """Over a far link each costs its time, and a list may have 100,000 segments."""
    hand_over.produce(count=300, segment_values=3)
    with TurnCounter(server.port) as counter:
        with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as endpoint:
            assert _read(endpoint, keys, limit=1) == [b"300"]
        assert counter.times("HMGET") <= 10, str(counter)  # 2, and more where a busy machine sends one in parts


@pytest.mark.parametrize("segments", [9, 10, 11, 21])
def test_segments_come_in_their_order_over_several_portions(
    *, segments: int, hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "PORTION_KEYS", 10)
    hand_over.produce(count=segments * 3 - 1, segment_values=3)
    assert _read(endpoint, keys) == numbers(segments * 3 - 1)[::-1]


def test_large_values_come_whole(hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, tmp_path: Path) -> None:
    lines = [b"x" * 1_048_576 for _ in range(12)] + [b""] + numbers(1_500)
    (tmp_path / "values").write_bytes(b"\n".join(lines))
    hand_over.produce(values=str(tmp_path / "values"), segment_values=1_000)
    assert _read(endpoint, keys) == lines[::-1]


def test_lines_come_in_parts_that_a_slow_link_carries_in_time(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, tmp_path: Path
) -> None:
    """A whole block of these is 2 MB, which a link of 250 kB/s carries in eight seconds."""
    lines = [b"%02000d" % number for number in range(1_500)]
    (tmp_path / "values").write_bytes(b"\n".join(lines))
    hand_over.produce(values=str(tmp_path / "values"))
    parts = list(values_in_reverse(endpoint, keys, limit=None))
    assert [value for part in parts for value in part] == lines[::-1]
    assert max(sum(map(len, part)) for part in parts) <= 512 * 1024


def test_a_list_of_somebody_elses_is_read_too(endpoint: Endpoint, keys: Keyspace, client: redis.Redis) -> None:
    client.rpush(keys.segment(1), *numbers(2_500))
    assert _read(endpoint, keys) == numbers(2_500)
    client.lpush(keys.segment(1), "x" * 2_000_000)
    assert len(_read(endpoint, keys)[0]) == 2_000_000


def test_a_run_that_replaced_a_larger_one_is_the_current_one(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=5_000, segment_values=1_000)
    hand_over.produce(count=700)
    assert _read(endpoint, keys) == numbers(700)[::-1]


def test_a_signal_sent_again_or_nobodys_does_not_hide_the_newest_run(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=30, segment_values=10)
    hand_over.produce(count=20, segment_values=10)
    client.xadd(keys.signals(), entries_of(client, keys.signals())[0][1])  # type: ignore[arg-type]
    client.xadd(keys.signals(), {"hello": "world"})
    assert _read(endpoint, keys) == numbers(20)[::-1]


def test_nothing_published_is_said(endpoint: Endpoint, keys: Keyspace) -> None:
    with pytest.raises(NotFinishedError):
        _read(endpoint, keys)


def test_a_missing_segment_is_said(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=30, segment_values=10)
    client.delete(keys.segment(2), keys.state(keys.segment(2)))
    with pytest.raises(NotFinishedError) as caught:
        _read(endpoint, keys)
    assert caught.value.got == "2 segments of 1 runs"


def test_a_key_of_another_type_is_said(endpoint: Endpoint, keys: Keyspace, client: redis.Redis) -> None:
    client.set(keys.segment(1), "x")
    with pytest.raises(HandoverError) as caught:
        _read(endpoint, keys)
    assert caught.value.exit_code == 78


def test_a_list_that_is_replaced_while_it_is_read_is_said(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace
) -> None:
    hand_over.produce(count=20_000)
    reading = values_in_reverse(endpoint, keys, limit=None)
    assert next(reading)[0] == b"20000"
    hand_over.produce(count=20_000)
    with pytest.raises(SegmentChangedError):
        list(reading)


def test_a_list_that_is_touched_while_it_is_read_is_said(
    hand_over: HandOver, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=20_000)
    reading = values_in_reverse(endpoint, keys, limit=None)
    next(reading)
    client.lset(keys.segment(1), 0, "x")
    with pytest.raises(SegmentChangedError):
        list(reading)


def test_the_command_writes_one_value_a_line(hand_over: HandOver, server: Server, namespace: str) -> None:
    hand_over.produce(count=12_345, segment_values=5_000)
    ended = run_program("server-b", "read", server=server, namespace=namespace)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout_bytes == b"".join(b"%d\n" % number for number in range(12_345, 0, -1))
    ended = run_program("server-b", "read", "--limit", "2", server=server, namespace=namespace)
    assert (ended.exit_code, ended.stdout) == (0, "12345\n12344\n")


def test_the_command_ends_quietly_when_the_pipe_closes(hand_over: HandOver, server: Server, namespace: str) -> None:
    hand_over.produce(count=1_000_000)
    environment = environment_of("server-b", server=server, namespace=namespace, env=None)
    with subprocess.Popen(
        [sys.executable, "-m", "server_b", "read"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        assert reading.stdout.readline() == b"1000000\n"
        reading.stdout.close()
        assert reading.stderr.read() == b""
        assert reading.wait(60) == 0
