"""A hash of any size under a run's name: `--resume` reads no more of it than a record of ours has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from demo.servers import Server
from server_a.run.resume import read_known_run
from server_a.run.settings import RunSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import InvalidInputError, WrongKeyError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import RUN, HandOver
from tests.stage.turns import TurnCounter

if TYPE_CHECKING:
    import redis

FIELDS, LONG = 30_000, 32_000_000


@pytest.fixture
def counter(server: Server) -> Iterator[TurnCounter]:
    with TurnCounter(server.port) as opened:
        yield opened


@pytest.fixture
def counted(counter: TurnCounter) -> Iterator[Endpoint]:
    """An endpoint whose replies are counted."""
    with closing(open_endpoint(EndpointSettings(url=parse_url(counter.url)))) as opened:
        yield opened


def _fill(client: redis.Redis, key: str) -> None:
    script = "for i = 1, tonumber(ARGV[1]) do redis.call('HSET', KEYS[1], 'field' .. i, 'value' .. i) end"
    client.eval(script, 1, key, FIELDS)


@pytest.mark.parametrize("ours", [{}, {"run_id": RUN}, {"schema_version": "1"}, {"schema_version": "1", "run_id": RUN}])
def test_many_fields_of_somebody_else_are_not_read(
    ours: dict[str, str], counter: TurnCounter, counted: Endpoint, client: redis.Redis, keys: Keyspace
) -> None:
    _fill(client, keys.run(RUN))
    if ours:
        client.hset(keys.run(RUN), mapping=ours)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        read_known_run(counted, keys, RunSettings(resume=RUN))
    assert counter.carried["to_client"] < 100_000, str(counter)


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1_001])
def test_what_a_record_notes_of_each_segment_is_found_among_fields_of_others(
    *, count: int, counter: TurnCounter, counted: Endpoint, client: redis.Redis, hand_over: HandOver, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=count, segment_values=1)
    _fill(client, keys.run(summary.run_id))
    client.hset(keys.run(summary.run_id), "attempt:1", summary.run_id)
    client.hset(keys.run(summary.run_id), f"attempt:{count}", summary.run_id)
    known = read_known_run(counted, keys, RunSettings(resume=summary.run_id))
    assert known.signalled == set(range(1, count + 1))
    assert known.finished_signals.keys() == known.signalled
    assert dict(known.under_way) == dict.fromkeys({1, count}, summary.run_id)
    assert counter.carried["to_client"] < 100_000 + 100 * count, str(counter)


@pytest.mark.parametrize("name", ["signal:1", "attempt:3", "source", "samples", "lost_attempts"])
def test_a_long_value_in_a_record_ends_the_resume(
    *, name: str, counter: TurnCounter, counted: Endpoint, client: redis.Redis, hand_over: HandOver, keys: Keyspace
) -> None:
    summary = hand_over.produce(count=30, segment_values=10)
    script = "redis.call('HSET', KEYS[1], ARGV[1], string.rep('x', tonumber(ARGV[2])))"
    client.eval(script, 1, keys.run(summary.run_id), name, LONG)
    with pytest.raises(WrongKeyError, match=keys.run(summary.run_id)):
        read_known_run(counted, keys, RunSettings(resume=summary.run_id))
    assert counter.carried["to_client"] < LONG * 0.75, str(counter)
