"""Which segments of a run are still to be given to a writer, lowest first. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

MOST_AHEAD = 100


class Plan:
    """The numbers of those segments; true while there are any."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._numbers)

    def __contains__(self, number: int) -> bool:
        """Whether a segment is still to be given to a writer."""
        return self._numbers[bisect_left(self._numbers, number) :][:1] == [number]

    def set(self, numbers: Iterable[int]) -> None:
        """Replace what is planned."""
        self._numbers = sorted(numbers)

    def take(self, number: int) -> None:
        """Note that a writer has a segment."""
        self._numbers.remove(number)

    def put_back(self, number: int) -> None:
        """Note that a segment is to be written again."""
        insort(self._numbers, number)

    def within_reach(self, *not_published: Iterable[int]) -> list[int]:
        """Return what is less than 100 ahead of the lowest segment that is not published, planned or one of these."""
        lowest = min([*self._numbers[:1], *(number for numbers in not_published for number in numbers)], default=0)
        return self._numbers[: bisect_left(self._numbers, lowest + MOST_AHEAD)]
