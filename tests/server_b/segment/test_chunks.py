"""Which elements are asked for: each exactly once, blocks newest first, never across a block's border."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_b.segment.chunks import Chunk, ChunkSize, chunk_size, chunks_by_block, chunks_from_head
from shared.record import RunRecord
from tests.stage.hand_over_in_process import RUN


def _elements(chunks: list[Chunk]) -> list[int]:
    return [index for chunk in chunks for index in range(chunk.start, chunk.stop + 1)]


@pytest.mark.parametrize(
    ("count", "chunk_values", "expected"),
    [
        (0, 1_000, []),
        (1, 1_000, [Chunk(0, 0, 0, ends_block=True)]),
        (1_000, 1_000, [Chunk(0, 0, 999, ends_block=True)]),
        (1_001, 1_000, [Chunk(1, 0, 0, ends_block=True), Chunk(0, 1, 1_000, ends_block=True)]),
        (
            1_005,
            600,
            [
                Chunk(1, 0, 4, ends_block=True),
                # the oldest values of a block come first, and they are farther from the head
                Chunk(0, 405, 1_004, ends_block=False),
                Chunk(0, 5, 404, ends_block=True),
            ],
        ),
    ],
)
def test_examples(count: int, chunk_values: int, expected: list[Chunk]) -> None:
    assert list(chunks_by_block(count, chunk_values=chunk_values)) == expected


@given(st.integers(0, 5_000), st.integers(1, 1_000))
def test_each_element_is_in_exactly_one_chunk(count: int, chunk_values: int) -> None:
    chunks = list(chunks_by_block(count, chunk_values=chunk_values))
    assert sorted(_elements(chunks)) == list(range(count))
    assert all(1 <= chunk.values <= chunk_values for chunk in chunks)


@given(st.integers(1, 5_000), st.integers(1, 1_000))
def test_chunks_stay_within_their_blocks_newest_block_first(count: int, chunk_values: int) -> None:
    chunks = list(chunks_by_block(count, chunk_values=chunk_values))
    blocks = [chunk.block for chunk in chunks]
    assert blocks == sorted(blocks, reverse=True)
    for block in set(blocks):
        own = [chunk for chunk in chunks if chunk.block == block]
        positions = [count - 1 - index for chunk in own for index in range(chunk.stop, chunk.start - 1, -1)]
        assert positions == list(range(block * 1_000, min(block * 1_000 + 1_000, count)))
        assert [chunk.ends_block for chunk in own] == [False] * (len(own) - 1) + [True]


@given(st.integers(0, 5_000), st.integers(1, 1_000))
def test_chunks_from_the_head_are_in_the_order_of_the_list(count: int, chunk_values: int) -> None:
    chunks = list(chunks_from_head(count, chunk_values=chunk_values))
    assert _elements(chunks) == list(range(count))
    assert all(chunk.values == chunk_values for chunk in chunks[:-1])


def _record(max_value_bytes: int) -> RunRecord:
    return RunRecord(RUN, "values", 10, 10, max_value_bytes, users=0, skus=0, carts=0, seed=1, retain_ms=1)


@pytest.mark.parametrize(
    ("longest", "field", "expected"),
    [
        (7, None, ChunkSize(1_000, 8, 7)),
        (2_048, None, ChunkSize(1_000, 2, 2_048)),
        (1_048_576, None, ChunkSize(4, 1, 1_048_576)),
        (1_048_576, b"1000", ChunkSize(1_000, 1, 4_194)),  # the longest value is in another segment
        (1_048_576, b"1001", ChunkSize(4, 1, 1_048_576)),
        (0, None, ChunkSize(1_000, 8, 1)),
    ],
)
def test_the_longest_value_bounds_a_transaction(longest: int, field: bytes | None, expected: ChunkSize) -> None:
    assert chunk_size(_record(longest), field) == expected


@given(st.integers(1, 1_048_576), st.integers(65_536, 8_388_608))
def test_a_transaction_is_no_longer_than_a_window_that_shrank(longest: int, most: int) -> None:
    size = chunk_size(_record(longest)).within(most)
    assert size.values >= 1
    assert size.together >= 1
    assert size.values * size.together * longest <= most or (size.values, size.together) == (1, 1)
