"""Spans of time put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Moment = TypeVar("Moment", int, float)


def merged(spans: Iterable[tuple[Moment, Moment]], gap: Moment) -> list[tuple[Moment, Moment]]:
    """Return spans in order; those that overlap, or are no more than the gap apart, are one."""
    found: list[tuple[Moment, Moment]] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] <= gap:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found
