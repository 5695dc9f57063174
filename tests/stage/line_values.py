"""The values of a file of lines, as batches and one by one."""

from __future__ import annotations

from server_a.run.lines import ScannedLines
from server_a.run.values import Batch
from shared.segments import segment_range, segments_of
from tests.stage.second_opinions import decode_bulk

MIB = 1024 * 1024


def batches_of(source: ScannedLines, segment_values: int) -> list[list[Batch]]:
    """Return the batches of each segment."""
    return [
        list(source.batches(segment_range(number, count=source.count, segment_values=segment_values)))
        for number in range(1, segments_of(source.count, segment_values) + 1)
    ]


def lines_of_batches(segments: list[list[Batch]]) -> list[bytes]:
    """Return the lines of all batches."""
    return [value for batches in segments for batch in batches for value in decode_bulk(batch)]
