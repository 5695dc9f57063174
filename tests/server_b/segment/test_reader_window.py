"""What a reader hands out, and how far ahead of the replies it asks: in bytes, which follow the link."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import Any

import pytest
import redis

from demo.servers import Server
from server_b.segment.chunks import ChunkSize, chunks_from_head
from server_b.segment.reader import SegmentReader
from shared.endpoint.opening import Endpoint, open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.errors import SegmentChangedError
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import numbers
from tests.stage.waiting import wait_until


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("count", [1, 999, 1_001, 4_000])
def test_a_reader_hands_out_each_value_once_from_the_head(
    count: int, together: int, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    client.lpush(keys.segment(1), *numbers(count))
    in_reverse = numbers(count)[::-1]
    reader = SegmentReader(endpoint, keys, keys.segment(1), expected=(None, None))
    chunks, size = chunks_from_head(count, chunk_values=300), ChunkSize(300, together, 4)
    reader.ask(chunks, count=count, size=size, first=10)
    opening = reader.opened()
    assert (opening.length, opening.first, opening.last) == (count, in_reverse[:10], b"1")
    found = [value for _, values in reader.read() for value in values]
    assert found == in_reverse
    reader.require_untouched(count)
    reader.close()


@pytest.mark.parametrize("is_touched", [True, False])
def test_a_reader_notices_a_change_between_its_chunks(
    *, is_touched: bool, endpoint: Endpoint, keys: Keyspace, client: redis.Redis
) -> None:
    client.lpush(keys.segment(1), *numbers(1_000))
    with closing(SegmentReader(endpoint, keys, keys.segment(1), expected=(None, None))) as reader:
        reader.open(chunks_from_head(1_000, chunk_values=300), count=1_000, size=ChunkSize(300, 1, 4))
        for chunk, _ in reader.read():
            if is_touched and chunk.start == 300:
                client.lset(keys.segment(1), 0, "1000")
        with pytest.raises(SegmentChangedError) if is_touched else nullcontext():
            reader.require_untouched(1_000)


@pytest.mark.parametrize(("value", "transactions"), [(b"x" * 6, 10), (b"x" * 1_000, 1), (b"x" * 60, 1)])
def test_what_is_asked_for_ahead_is_counted_in_bytes(
    value: bytes, transactions: int, own_server: Server, keys: Keyspace
) -> None:
    """Four chunks of 1,000 values of 6 bytes are 48,200 bytes, and the first window is 524,288."""
    count, key = 100_000, keys.segment(1)
    with (
        redis.Redis.from_url(own_server.url) as client,
        closing(open_endpoint(EndpointSettings(url=parse_url(own_server.url)))) as endpoint,
    ):
        for _ in range(count // 1_000):
            client.lpush(key, *[value] * 1_000)
        with closing(SegmentReader(endpoint, keys, key, expected=(None, None))) as reader:
            size = ChunkSize(1_000, 4, len(value))
            reader.open(chunks_from_head(count), count=count, size=size)
            wait_until(lambda: _ranges(client) == 1 + 4 * transactions, description="all that fits is asked for")
            assert reader.left == count - 4_000 * transactions
            assert sum(len(values) for _, values in reader.read()) == count
            assert (reader.left, _ranges(client)) == (0, 1 + count // 1_000)


def _ranges(client: redis.Redis) -> int:
    found: Any = client.info("commandstats")
    return int(found.get("cmdstat_lrange", {"calls": 0})["calls"])
