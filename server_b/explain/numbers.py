"""The ranges that are wrong in a list of numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from server_b.explain.ranges import DOUBLED, FOREIGN, MISSING, MOVED, WrongRanges
from server_b.segment.doubled_numbers import counted_pieces
from server_b.segment.number_runs import NumberRuns, Piece, Run, misplaced


def add_numbers(found: NumberRuns, ranges: WrongRanges) -> bool:
    """Add what is wrong with a list; False where it falls into too many runs to tell anything."""
    if found.bits is not None:
        return False
    runs = list(found.runs())
    pieces, _ = counted_pieces(runs, found.count)
    _add_missing(found, pieces, ranges)
    _add_listed(DOUBLED, _again(runs, pieces), found, runs, ranges)
    _add_listed(MOVED, misplaced(runs, pieces), found, runs, ranges)
    _add_foreign(found, runs, ranges)
    return True


def _add_missing(found: NumberRuns, pieces: Iterable[Piece], ranges: WrongRanges) -> None:
    reached = 0
    for low, high in [*((piece.low, piece.high) for piece in pieces), (found.count, found.count)]:
        if low > reached:
            first, end = found.first + reached, found.first + low
            ranges.add(MISSING, first, end - 1)
            _add_examples(MISSING, ((number, b"%d" % number) for number in range(first, end)), ranges)
        reached = high


def _add_listed(kind: str, pieces: Iterable[Piece], found: NumberRuns, runs: list[Run], ranges: WrongRanges) -> None:
    """Add numbers that are in the list; the examples name their positions there."""
    for piece in sorted(pieces, key=lambda piece: piece.low):
        run = runs[piece.run]
        first = found.first + run.place
        ranges.add(kind, found.first + piece.low, found.first + piece.high - 1)
        # a run's lowest number is its first, or its last where it goes downward
        places = (
            (first + (number - run.low if run.step > 0 else run.low + run.length - 1 - number), number)
            for number in range(piece.low, piece.high)
        )
        _add_examples(kind, ((position, b"%d" % (found.first + number)) for position, number in places), ranges)


def _add_foreign(found: NumberRuns, runs: Iterable[Run], ranges: WrongRanges) -> None:
    for run in runs:
        if run.is_foreign:
            first, end = run.place, run.place + run.length
            ranges.add(FOREIGN, found.first + first, found.first + end - 1)
            within = ((found.first + place, value) for place, value in found.examples if first <= place < end)
            _add_examples(FOREIGN, within, ranges)


def _add_examples(kind: str, examples: Iterable[tuple[int, bytes]], ranges: WrongRanges) -> None:
    for position, value in examples:
        if not ranges.wants_example(kind):
            return
        ranges.add_example(kind, position, value)


def _again(runs: list[Run], pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the numbers of runs that are counted in another run."""
    kept: dict[int, list[tuple[int, int]]] = {}
    for piece in pieces:
        kept.setdefault(piece.run, []).append((piece.low, piece.high))
    for number, run in enumerate(runs):
        reached, end = run.low, run.low + run.length
        for low, high in [] if run.is_foreign else [*kept.get(number, []), (end, end)]:
            if low > reached:
                yield Piece(number, reached, low, 0)
            reached = high
