"""The digests of a segment's blocks, kept in its state so that a difference can be found block by block."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.keys import Keyspace
from tests.stage.hand_over_in_process import HandOver, list_values, numbers

if TYPE_CHECKING:
    import redis

BLOCK_VALUES, DIGEST_BYTES = 1_000, 16


def _require_blocks(client: redis.Redis, keys: Keyspace, segments: int) -> None:
    """Check the blocks in each state against its digest, and against the values as they are stored."""
    for number in range(1, segments + 1):
        key = keys.segment(number)
        state = client.hgetall(keys.state(key))
        values = list_values(client, key)[::-1]
        blocks = [values[first : first + BLOCK_VALUES] for first in range(0, len(values), BLOCK_VALUES)]
        expected = b"".join(blake2b(b"\n".join(block), digest_size=DIGEST_BYTES).digest() for block in blocks)
        assert state[b"blocks"] == expected
        assert blake2b(state[b"blocks"], digest_size=DIGEST_BYTES).hexdigest().encode() == state[b"digest"]


@pytest.mark.parametrize(
    ("count", "segment_values", "segments"), [(1, 10, 1), (1_000, 1_000, 1), (12_345, 5_000, 3), (5_000, 777, 7)]
)
def test_a_state_of_numbers_has_the_digest_of_each_block(
    *, count: int, segment_values: int, segments: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis
) -> None:
    hand_over.produce(count=count, segment_values=segment_values)
    _require_blocks(client, keys, segments)


@pytest.mark.parametrize("segment_values", [1_000_000, 1_500, 333])
def test_a_state_of_lines_has_the_digest_of_each_block(
    segment_values: int, hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    lines = [b"line %d" % number * (number % 700) for number in range(2_345)]  # also several batches a block
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(lines) + b"\n")
    summary = hand_over.produce(values=str(file), segment_values=segment_values)
    _require_blocks(client, keys, summary.segments)


def test_blocks_follow_what_is_published_now(
    hand_over: HandOver, keys: Keyspace, client: redis.Redis, tmp_path: Path
) -> None:
    file = tmp_path / "values"
    file.write_bytes(b"\n".join(numbers(3_000, first=7)))
    hand_over.produce(count=30_000)
    hand_over.produce(values=str(file))
    _require_blocks(client, keys, 1)
    assert len(client.hget(keys.state(keys.segment(1)), "blocks") or b"") == 3 * DIGEST_BYTES


def test_a_retired_state_has_no_blocks(hand_over: HandOver, keys: Keyspace, client: redis.Redis) -> None:
    hand_over.produce(count=3_000, segment_values=1_000)
    newer = hand_over.produce(count=10)
    for number in (2, 3):
        state = client.hgetall(keys.state(keys.segment(number)))
        assert set(state) == {b"run_id", b"attempt", b"count", b"digest"}
        assert (state[b"run_id"], state[b"count"]) == (newer.run_id.encode(), b"0")
