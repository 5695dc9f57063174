"""Which elements of a segment's list each LRANGE asks for, and in which order. Pure.

The head of a list is its newest value, so blocks, counted in insertion order, are read from the last to the first. A
block of large values is read in several chunks to bound memory, oldest first: its digest is of the insertion order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from shared.digest import BLOCK_VALUES, blocks_of
from shared.record import RunRecord
from shared.segments import MAX_CHUNK_BYTES, MAX_VALUE_BYTES, safe_chunk_values

_MOST_TOGETHER = 8


class ChunkSize(NamedTuple):
    """Values a chunk, a block at most, and chunks a transaction, eight at most; neither is more than 4 MiB."""

    values: int
    together: int
    value_bytes: int  # no value of the segment is longer

    def within(self, transaction_bytes: int) -> ChunkSize:
        """Return a size whose transactions are no longer than so many bytes, where single values allow that.

        A server with a `client-output-buffer-limit` cuts whoever asks for a longer reply, however often it is asked.
        """
        values = max(1, min(self.values, transaction_bytes // self.value_bytes))
        together = max(1, min(self.together, transaction_bytes // (self.value_bytes * values)))
        return ChunkSize(values, together, self.value_bytes)


def chunk_size(record: RunRecord | None, chunk_values: bytes | None = None) -> ChunkSize:
    """Return how a segment is read, from its run's record and the hash field with the segment's chunk size."""
    longest = record.max_value_bytes if record is not None else MAX_VALUE_BYTES
    values = safe_chunk_values(longest, block_values=BLOCK_VALUES)
    # anybody may have written the field: what is no number, or more than a block, is ignored
    given = int(chunk_values) if chunk_values is not None and re.fullmatch(rb"[0-9]{1,4}", chunk_values) else 0
    if record is not None and 1 <= given <= BLOCK_VALUES:
        values, longest = given, min(longest, MAX_CHUNK_BYTES // given)  # the producer saw that so many fit
    fitting = safe_chunk_values(longest, block_values=values * _MOST_TOGETHER)
    return ChunkSize(values, max(1, fitting // values), max(1, longest))


class Chunk(NamedTuple):
    """The elements of one LRANGE; a tuple, because making a frozen dataclass takes twice as long."""

    block: int  # the block they belong to, from 0 in insertion order
    start: int  # index of the first element, as LRANGE takes it
    stop: int  # index of the last element, likewise
    ends_block: bool  # whether these are the newest elements of their block, the last to be read

    @property
    def values(self) -> int:
        """The number of elements."""
        return self.stop - self.start + 1


def chunks_by_block(count: int, *, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of a segment of `count` values, newest block first; each value is in exactly one."""
    for block in range(blocks_of(count) - 1, -1, -1):
        oldest = block * BLOCK_VALUES
        end = min(oldest + BLOCK_VALUES, count)
        for first in range(oldest, end, chunk_values):
            after = min(first + chunk_values, end)
            yield Chunk(block, count - after, count - 1 - first, after == end)


def chunks_from_tail(length: int, *, values: int, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of the oldest `values` of a list's `length` elements, oldest first; none crosses a block."""
    for block in range(blocks_of(values)):
        oldest = block * BLOCK_VALUES
        end = min(oldest + BLOCK_VALUES, values)
        for first in range(oldest, end, chunk_values):
            after = min(first + chunk_values, end)
            yield Chunk(block, length - after, length - 1 - first, after == end)


def chunks_from_head(count: int, *, chunk_values: int = BLOCK_VALUES) -> Iterator[Chunk]:
    """Yield the chunks of a list of `count` elements strictly from its head, whatever the blocks are."""
    for start in range(0, count, chunk_values):
        stop = min(start + chunk_values, count) - 1
        yield Chunk((count - 1 - stop) // BLOCK_VALUES, start, stop, ends_block=False)
