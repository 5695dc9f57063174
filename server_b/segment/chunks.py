"""Which elements of a segment's list are asked for, and in which order. Pure.

A list's head is its newest value, so block k of the insertion order lies near the tail. Blocks are read from the head,
newest first. A block with large values is read in several chunks, oldest first, because its digest is taken in
insertion order and a whole block may be far larger than what should be held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from shared.digest import BLOCK_VALUES, blocks_of
from shared.segments import MAX_VALUE_BYTES, safe_chunk_values

_MOST_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """How much of a segment is asked for at once.

    Attributes:
        values: Values a chunk at most, from 1 to a block; surely at most 4 MiB.
        together: Chunks that one transaction reads: one of 4 MiB, or up to four that are surely smaller together.
    """

    values: int
    together: int


def chunk_size(longest_value: bytes | None, chunk_values: bytes | None) -> ChunkSize:
    """Return how a segment is read.

    Args:
        longest_value: Bytes of the run's longest value, as the run's record says; None where it says nothing.
        chunk_values: Values of the segment that surely fit into a chunk, as the record says; None or more than a
            block are passed over.
    """
    longest = int(longest_value) if longest_value is not None and longest_value.isdigit() else MAX_VALUE_BYTES
    values = safe_chunk_values(longest, block_values=BLOCK_VALUES)
    if chunk_values is not None and chunk_values.isdigit() and 1 <= int(chunk_values) <= BLOCK_VALUES:
        values = int(chunk_values)
    fitting = safe_chunk_values(longest, block_values=values * _MOST_TOGETHER)
    return ChunkSize(values, max(1, fitting // values))


class Chunk(NamedTuple):
    """The elements of one LRANGE; a tuple, since a frozen dataclass takes twice as long to make.

    Attributes:
        block: The block they belong to, from 0 in insertion order.
        start: Index from the head of the first element, included.
        stop: Index from the head of the last element, included, as LRANGE takes it.
        ends_block: Whether these are the newest elements of their block, the last to be read.
    """

    block: int
    start: int
    stop: int
    ends_block: bool

    @property
    def values(self) -> int:
        """How many elements these are."""
        return self.stop - self.start + 1


def chunks_by_block(count: int, *, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of a segment of `count` values, newest block first; each value is in exactly one.

    Args:
        count: Values of the segment.
        chunk_values: Values a chunk at most, from 1 to a block.
    """
    for block in range(blocks_of(count) - 1, -1, -1):
        oldest = block * BLOCK_VALUES
        end = min(oldest + BLOCK_VALUES, count)
        for first in range(oldest, end, chunk_values):
            after = min(first + chunk_values, end)
            yield Chunk(block, count - after, count - 1 - first, after == end)


def chunks_from_head(count: int, *, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of a list of `count` elements strictly from its head, whatever the blocks are."""
    for start in range(0, count, chunk_values):
        stop = min(start + chunk_values, count) - 1
        yield Chunk((count - 1 - stop) // BLOCK_VALUES, start, stop, ends_block=False)
