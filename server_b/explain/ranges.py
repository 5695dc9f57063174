"""Ranges of positions that are wrong, with a few examples of each kind. Pure; what is kept is bounded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.text import cut_text

MISSING = "missing"  # at these positions of the run, and not in the list
DOUBLED = "doubled"  # at these positions of the run, and in the list once more than there
MOVED = "moved"  # at these positions of the run, and elsewhere in the list
FOREIGN = "foreign"  # at these positions of the list, and not expected in its segment
DIFFERING = "differing"  # lines of a block whose digest differs, where the lines themselves are not known
MAX_RANGES = 1_000  # of a kind
MAX_EXAMPLES = 10  # of a kind


@dataclass
class WrongRange:
    """Positions that follow each other, from 1 in the run's order of insertion."""

    kind: str
    first: int
    last: int
    examples: list[dict[str, Any]] = field(default_factory=list)  # `position` in the list (where missing: in the run)


class WrongRanges:
    """Collects ranges; those that follow each other become one.

    Attributes:
        added: How often something was added.
        left_out: How many ranges of a kind were too many to keep.
    """

    def __init__(self) -> None:
        self.added = 0
        self.kept: list[WrongRange] = []
        self.left_out: Counter[str] = Counter()
        self._last: dict[str, WrongRange] = {}
        self._counts: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()

    def add(self, kind: str, first: int, last: int) -> None:
        """Add a range; those of a kind come in ascending order, else they stay apart."""
        self.added += 1
        before = self._last.get(kind)
        if before is not None and before.last + 1 == first:
            before.last = last
            return
        self._last[kind] = found = WrongRange(kind, first, last)
        self._counts[kind] += 1
        if self._counts[kind] <= MAX_RANGES:
            self.kept.append(found)
        else:
            self.left_out[kind] += 1

    def add_example(self, kind: str, position: int, value: bytes) -> None:
        """Add an example to the last range of a kind, unless there are ten of it."""
        if self.wants_example(kind):
            self._examples[kind] += 1
            self._last[kind].examples.append({"position": position, "value": cut_text(value)})

    def wants_example(self, kind: str) -> bool:
        """Tell whether there is room for another example."""
        return self._examples[kind] < MAX_EXAMPLES
