"""Streams are read to their end, and no further than a stream of ours can go."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoint.stream_pages import LARGE_PAGE_BYTES, PageSize, require_order, stream_pages
from shared.errors import WrongEndpointError

Entry = tuple[bytes, dict[bytes, bytes]]
IDS = [f"{milliseconds}-{sequence}" for milliseconds in (0, 1, 9, 10, 2**63) for sequence in (0, 1, 9, 10)]


def _entries(*ids: str) -> list[Entry]:
    return [(entry_id.encode(), {}) for entry_id in ids]


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250, 300])
@pytest.mark.parametrize("start", ["-", "+"])
def test_all_entries_come_once(number: int, start: str) -> None:
    entries = _entries(*(f"{place + 1}-0" for place in range(number)))
    entries = entries[::-1] if start == "+" else entries

    def read(begin: str) -> list[Entry]:
        first = 0 if begin == start else [entry_id for entry_id, _ in entries].index(begin[1:].encode()) + 1
        return entries[first : first + 100]

    pages = list(stream_pages(read, start=start, count=100, where="w"))
    assert [entry for page in pages for entry in page] == entries


@pytest.mark.parametrize("start", ["-", "+"])
@pytest.mark.parametrize("most_pages", [1, 2, 7])
def test_a_stream_without_end_ends(start: str, most_pages: int) -> None:
    numbers = count(1) if start == "-" else count(10**9, -1)
    asked = []

    def read(begin: str) -> list[Entry]:
        asked.append(begin)
        return _entries(f"{next(numbers)}-0", f"{next(numbers)}-0")

    with pytest.raises(WrongEndpointError, match="no end"):
        list(stream_pages(read, start=start, count=2, where="w", most_pages=most_pages))
    assert len(asked) == most_pages


@pytest.mark.parametrize("start", ["-", "+"])
@pytest.mark.parametrize("page", [("5-0", "5-0"), ("5-0", "5-1", "5-0"), ("9-0", "5-0", "7-0")])
def test_a_page_that_goes_back_is_refused(start: str, page: tuple[str, ...]) -> None:
    with pytest.raises(WrongEndpointError, match="goes back"):
        list(stream_pages(lambda _: _entries(*page), start=start, count=100, where="w"))


@pytest.mark.parametrize("start", ["-", "+"])
def test_the_same_page_again_is_refused(start: str) -> None:
    page = _entries("5-0", "6-0") if start == "-" else _entries("6-0", "5-0")
    with pytest.raises(WrongEndpointError, match="goes back"):
        list(stream_pages(lambda _: page, start=start, count=2, where="w"))


@given(st.lists(st.sampled_from(IDS), max_size=6), st.sampled_from(["-", *IDS]))
def test_only_ids_in_order_pass(ids: list[str], after: str) -> None:
    orders = [tuple(map(int, entry_id.split("-"))) for entry_id in ([] if after == "-" else [after]) + ids]
    for is_falling in (False, True):
        if orders == sorted(set(orders), reverse=is_falling):
            require_order(ids, after=after, where="w", is_falling=is_falling)
        else:
            with pytest.raises(WrongEndpointError):
                require_order(ids, after=after, where="w", is_falling=is_falling)


@given(st.lists(st.sampled_from([0, 10, 1_000, LARGE_PAGE_BYTES, LARGE_PAGE_BYTES + 1, 10 * LARGE_PAGE_BYTES])))
def test_entries_of_any_size_come_once(sizes: list[int]) -> None:
    size, taken = PageSize(100), [bytes(of) for of in sizes]
    entries = [(f"{place + 1}-0".encode(), {b"f": value}) for place, value in enumerate(taken)]

    def read(begin: str) -> list[Entry]:
        first = 0 if begin == "-" else int(begin[1:].partition("-")[0])
        return entries[first : first + size.count]

    pages = list(stream_pages(read, start="-", count=size, where="w"))
    assert [entry for page in pages for entry in page] == entries
    large = [sum(map(len, (fields[b"f"] for _, fields in page))) > LARGE_PAGE_BYTES for page in pages]
    after_large = [len(page) for page, was_large in zip(pages[1:], large, strict=False) if was_large]
    assert all(length <= 1 for length in after_large)
    assert len(pages[0]) <= 1


@pytest.mark.parametrize("fields", [{bytes(LARGE_PAGE_BYTES + 1): b""}, {b"": bytes(LARGE_PAGE_BYTES + 1)}])
def test_a_large_name_counts_as_a_large_value_does(fields: dict[bytes, bytes]) -> None:
    size = PageSize(100)
    size.took([(b"1-0", {b"f": b""})])
    assert size.count == 2
    size.took([(b"2-0", fields)])
    assert size.count == 1


def test_a_stream_of_large_entries_without_end_ends() -> None:
    numbers = count(1)
    size = PageSize(5)
    with pytest.raises(WrongEndpointError, match="10 and no end"):
        list(
            stream_pages(
                lambda _: [(f"{next(numbers)}-0".encode(), {b"f": bytes(LARGE_PAGE_BYTES + 1)})],
                start="-", count=size, where="w", most_pages=2,
            )
        )  # fmt: skip
    assert next(numbers) == 11
