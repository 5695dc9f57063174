"""Which elements of a segment's list are asked for, and in which order. Pure.

A list's head is its newest value, so block k of the insertion order lies near the tail. Blocks are read from the head,
newest first. A block with large values is read in several chunks, oldest first, because its digest is taken in
insertion order and a whole block may be far larger than what should be held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.digest import BLOCK_VALUES, blocks_of


@dataclass(frozen=True, slots=True)
class Chunk:
    """The elements of one LRANGE.

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
            last = min(first + chunk_values, end) - 1
            yield Chunk(block, count - 1 - last, count - 1 - first, last == end - 1)


def chunks_from_head(count: int, *, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of a list of `count` elements strictly from its head, whatever the blocks are."""
    for start in range(0, count, chunk_values):
        stop = min(start + chunk_values, count) - 1
        yield Chunk((count - 1 - stop) // BLOCK_VALUES, start, stop, ends_block=False)
