"""What `status` asks for where runs are large: portions, however many segments there are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import pytest

from demo.servers import Server
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from shared.record import SOURCE_NUMBERS, RunRecord
from shared.signal import Signal
from shared.state import SegmentState
from shared.status.run_reading import MAX_OLDER_VERDICTS
from shared.status.status import Status, read_status
from shared.verdict import VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN
from tests.stage.status_checks import DONE, UNFINISHED, require_status
from tests.stage.turns import QUIET_S, TurnCounter

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

SEGMENTS = 3_500
CALLS_A_SEGMENT = {0: 100, SEGMENTS: 160}  # without verdicts, and with them
REASON = "x" * 1_000


def put_run(client: redis.Redis, keys: Keyspace, run_id: str, segments: int, *, verdicts: int) -> None:
    """Store a finished run of one value a segment, with this many verdicts of more than a kilobyte."""
    record = RunRecord(run_id, SOURCE_NUMBERS, segments, 1, 2, 0, 0, 0, 1, 86_400_000)
    with client.pipeline(transaction=False) as pipeline:
        for number in range(1, segments + 1):
            name = keys.segment(number)
            pipeline.delete(name)
            pipeline.lpush(name, number)
            pipeline.hset(keys.state(name), mapping=SegmentState(run_id, run_id, 1, DIGEST).encode())  # type: ignore[arg-type]
        for number in range(1, verdicts + 1):
            verdict = SegmentVerdict(VERIFIED, run_id, number, segments, 1, DIGEST, REASON)
            pipeline.hset(keys.result(run_id), str(number), verdict.encode())
        last = Signal(run_id, run_id, segments, segments, 1, DIGEST)
        entry = pipeline.xadd(keys.signals(), last.encode())  # type: ignore[arg-type]
        assert entry is not None
        pipeline.hset(keys.run(run_id), mapping=dict(record.encode(), published=str(segments), finished_ms="1"))  # type: ignore[arg-type]
        pipeline.execute()


def counted_status(server: Server, keys: Keyspace) -> tuple[Status, TurnCounter]:
    """Return the status, and what passed between the program and the server for it."""
    with TurnCounter(server.port, quiet_s=QUIET_S) as counter:
        url = EndpointSettings(url=parse_url(counter.url))
        with closing(open_endpoint(url)) as endpoint:
            status = read_status(endpoint, keys)
    return status, counter


@pytest.mark.parametrize("verdicts", [SEGMENTS, 1_500, 0])
def test_a_large_run_is_read_by_portions(server: Server, client: redis.Redis, keys: Keyspace, verdicts: int) -> None:
    put_run(client, keys, RUN, SEGMENTS, verdicts=verdicts)
    client.xgroup_create(keys.signals(), "server-b", id="$")
    status, counter = counted_status(server, keys)
    assert (status.runs[0].verdicts, status.runs[0].segments) == (verdicts, SEGMENTS)
    assert status.exit_code == (DONE if verdicts == SEGMENTS else UNFINISHED)
    assert counter.times("HGETALL") == 0, str(counter)
    portions = -(-SEGMENTS // 1_000)
    assert counter.turns <= 5 + 4 * portions, str(counter)


def test_verdicts_of_older_runs_are_not_read_where_they_are_too_many(
    server: Server, client: redis.Redis, keys: Keyspace
) -> None:
    put_run(client, keys, OLDER, 1, verdicts=1)
    record = RunRecord(OLDER, SOURCE_NUMBERS, MAX_OLDER_VERDICTS + 1, 1, 2, 0, 0, 0, 1, 86_400_000)
    client.hset(keys.run(OLDER), mapping=record.encode())  # type: ignore[arg-type]
    put_run(client, keys, RUN, 1, verdicts=1)
    client.xgroup_create(keys.signals(), "server-b", id="$")
    status, counter = counted_status(server, keys)
    require_status(status, DONE)
    assert [(run.verdict, run.reason) for run in status.runs[1:]] == [("unknown", "its 1 verdicts were not read")]
    assert counter.turns <= 9, str(counter)


def test_a_reason_of_somebody_elses_is_cut(server: Server, client: redis.Redis, keys: Keyspace) -> None:
    put_run(client, keys, RUN, 1, verdicts=1)
    assert len(counted_status(server, keys)[0].runs[0].reason) < 250


def _calls_of(function: Callable[[], T]) -> tuple[T, int]:
    """Return what a function returns, and how many functions and generators of Python are entered for it."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return function(), calls
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize("verdicts", [SEGMENTS, 0])
def test_a_segment_costs_few_calls(server: Server, client: redis.Redis, keys: Keyspace, verdicts: int) -> None:
    """By redis-py's pipelines, which pack and unpack each command for itself, it took more than 200."""
    put_run(client, keys, RUN, SEGMENTS, verdicts=verdicts)
    client.xgroup_create(keys.signals(), "server-b", id="$")
    told: list[int] = []
    with closing(open_endpoint(EndpointSettings(url=parse_url(server.url)))) as endpoint:
        status, calls = _calls_of(lambda: read_status(endpoint, keys, passed=told.append))
    assert status.runs[0].verdicts == verdicts
    assert calls <= CALLS_A_SEGMENT[verdicts] * SEGMENTS
    assert told == [1_000, 1_000, 1_000, 500]
