"""How a run's values are cut into segments: ranges of consecutive values.

The blocks of a segment start at its own first value, so its signal is enough to verify it.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_COUNT = 100_000_000_000
MAX_SEGMENT_VALUES = 100_000_000
MAX_SEGMENTS = 100_000
MAX_VALUE_BYTES = 1024 * 1024
MAX_CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class SegmentRange:
    """Which values of a run form one segment."""

    number: int  # from 1
    first: int  # position in the run of its first value, from 0
    count: int  # of values, at least 1


def segments_of(count: int, segment_values: int) -> int:
    """Return how many segments a run of `count` values has."""
    return -(-count // segment_values)


def segment_range(number: int, *, count: int, segment_values: int) -> SegmentRange:
    """Return the range of segment `number`; only the last one may be shorter than `segment_values`."""
    first = (number - 1) * segment_values
    return SegmentRange(number, first, min(segment_values, count - first))


def safe_chunk_values(max_value_bytes: int, *, block_values: int) -> int:
    """Return how many consecutive values always fit into a chunk of 4 MiB, at most a block."""
    return max(1, min(block_values, MAX_CHUNK_BYTES // max(1, max_value_bytes)))
