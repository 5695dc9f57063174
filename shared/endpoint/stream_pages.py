"""Reads a stream to its end by pages, also from a server that answers every time with another page.

Each page must go on behind the one before, and there are no more of them than a stream of ours can have: a thousand
runs of ten thousand segments take half as many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from shared.entry_ids import order_of
from shared.errors import WrongEndpointError

MAX_PAGES = 20_000
LARGE_PAGE_BYTES = 1024 * 1024


@dataclass
class PageSize:
    """How many entries to ask for where they may be large: one, then twice as many as long as few bytes come.

    Nothing tells the size of an entry before it is here, so a fixed number is either slow or, of entries of 50 MiB, too
    many for the memory.
    """

    most: int
    count: int = field(init=False, default=1)

    def took(self, page: list[Any]) -> None:
        """Note a page that came."""
        taken = sum(len(name) + len(value) for _, fields in page for name, value in (fields or {}).items())
        self.count = min(2 * self.count, self.most) if taken <= LARGE_PAGE_BYTES else 1


def stream_pages(
    read: Callable[[str], list[Any]],
    *,
    start: str,
    count: int | PageSize,
    where: str,
    most_pages: int | None = None,
) -> Iterator[list[Any]]:
    """Yield pages of entries until one is not full.

    Args:
        read: Returns the page that begins at an id, or behind it where the id follows a `(`.
        start: `-` to go upwards from the first entry, `+` to go downwards from the last one.
        count: Entries that `read` asks for; of a `PageSize` its `count` at that moment.
        where: Named by the error.
        most_pages: Of a stream that is kept shorter, as full pages; `MAX_PAGES` if it is not given.

    Raises WrongEndpointError if the pages don't go on, or don't end.
    """
    begin, seen = start, 0
    pages = MAX_PAGES if most_pages is None else most_pages
    most = pages * (count.most if isinstance(count, PageSize) else count)
    while seen < most:
        asked = count.count if isinstance(count, PageSize) else count
        page = read(begin)
        ids = [_text(entry[0]) for entry in page]
        require_order(ids, after=begin.removeprefix("("), where=where, is_falling=start == "+")
        yield page
        if len(page) < asked:
            return
        if isinstance(count, PageSize):
            count.took(page)
        begin, seen = f"({ids[-1]}", seen + len(page)
    raise _strange(where, f"{most:,} and no end")


def require_order(ids: list[str], *, after: str, where: str, is_falling: bool = False) -> None:
    """Raise WrongEndpointError unless each id is above the one before it, or below; the first one beyond `after`."""
    orders = [order_of(entry_id) for entry_id in ([after] if after[:1].isdigit() else []) + ids]
    if is_falling:
        orders.reverse()
    if any(first >= second for first, second in pairwise(orders)):
        raise _strange(where, "one that goes back")


def _strange(where: str, got: str) -> WrongEndpointError:
    return WrongEndpointError(
        where=where, expected="a stream whose entries go on and end", got=got, advice="check what answers there"
    )


def _text(entry_id: bytes | str) -> str:
    return entry_id if isinstance(entry_id, str) else entry_id.decode("ascii")
