"""Which of the places of a number that is in a list more than once is the one where it belongs. Pure.

The longest run of each number is a good guess, and wrong where other changes have cut that run into short ones: then
all numbers between two places of one number seem to be out of order. So the other runs are tried.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from server_b.segment.number_runs import Piece, Run, kept_pieces, misplaced

MAX_TRIED = 100  # runs that share numbers with others, of which each try takes a look at all runs
MAX_RUNS = 1_000


def counted_pieces(runs: list[Run], count: int) -> tuple[list[Piece], int]:
    """Return where each number is counted, as `kept_pieces`, so that few seem to be out of order."""
    pieces, missing = kept_pieces(runs, count)
    fewest = _misplaced(runs, pieces)
    tried = _sharing(runs) if fewest and len(runs) <= MAX_RUNS else []
    last: AbstractSet[int] = frozenset()
    for number in tried if len(tried) <= MAX_TRIED else []:
        others, _ = kept_pieces(runs, count, last=last | {number})
        if (found := _misplaced(runs, others)) < fewest:
            pieces, fewest, last = others, found, last | {number}
    return pieces, missing


def _sharing(runs: list[Run]) -> list[int]:
    """Return the runs that have a number of another one, the shortest first."""
    found: set[int] = set()
    reached, longest = 0, -1
    for low, number in sorted((run.low, number) for number, run in enumerate(runs) if not run.is_foreign):
        if low < reached:
            found |= {longest, number}
        if low + runs[number].length > reached:
            reached, longest = low + runs[number].length, number
    return sorted(found, key=lambda number: runs[number].length)


def _misplaced(runs: list[Run], pieces: list[Piece]) -> int:
    return sum(piece.high - piece.low for piece in misplaced(runs, pieces))
