"""Cutting files of lines: the same batches, byte for byte, as gathering line by line gives, wherever reading stops."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server_a.run.line_cutter import MAX_BATCH_BYTES, LineCutter, LineTooLongError
from shared.segments import MAX_VALUE_BYTES

KIB, MIB = 1024, 1024 * 1024
END = 1 << 40
Take = Callable[[LineCutter, int], int]


def _read_from(content: bytes, *, at_once: int = MIB) -> Callable[[int, int], bytes]:
    """Return a reading of `content` as a file is read, at most so many bytes at once."""
    return lambda size, start: content[start : start + min(size, at_once)]


def _lines_of(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def _slowly(lines: list[bytes], counts: list[int]) -> list[list[bytes]]:
    """Gather batches line by line: as many as the counts say, one after the other, but at most 256 KiB or one line."""
    batches: list[list[bytes]] = []
    most = size = 0
    for line in lines:
        if not batches or len(batches[-1]) == most or size + len(line) > MAX_BATCH_BYTES:
            most, size = counts[len(batches) % len(counts)], 0
            batches.append([])
        batches[-1].append(line)
        size += len(line)
    return batches


def _assert_cuts_as_slowly(content: bytes, counts: list[int], *, at_once: int = MIB) -> None:
    expected = _slowly(_lines_of(content), counts)
    by_take, by_skip = (LineCutter(_read_from(content, at_once=at_once), 0, END) for _ in range(2))
    position = longest = 0
    for number, batch in enumerate(expected):
        most = counts[number % len(counts)]
        joined, lines = by_take.take(most)
        assert lines == batch
        assert joined == b"\n".join(batch)
        assert by_skip.skip(most) == len(batch)
        position += len(joined) + 1
        assert by_take.position == by_skip.position == position
        longest = max(longest, *map(len, batch))
        assert by_skip.longest == longest
    assert by_take.take(1) == (b"", [])
    assert by_skip.skip(1) == 0
    whole = b"".join(line + b"\n" for lines in expected for line in lines)
    assert by_take.check == by_skip.check == crc32(whole)


texts = st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"\r"))
sizes = st.one_of(
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(200, 600),
    st.integers(MAX_BATCH_BYTES - 1_100, MAX_BATCH_BYTES + 1_100),
    st.integers(MIB - 2, MIB),
)
counts_strategy = st.lists(st.sampled_from([1, 2, 3, 500, 999, 1_000]), min_size=1, max_size=4)


@given(st.lists(texts, max_size=40), st.sampled_from([b"", b"\n"]), counts_strategy, st.integers(1, 9))
def test_any_short_lines(lines: list[bytes], end: bytes, counts: list[int], at_once: int) -> None:
    _assert_cuts_as_slowly(b"\n".join(lines) + end, counts, at_once=at_once)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(sizes, st.sampled_from([1, 1, 2, 700, 1_300])), min_size=1, max_size=6),
    st.sampled_from([b"", b"\n"]),
    counts_strategy,
    st.sampled_from([MIB, 64 * KIB, 100_003]),
)
@example([(262, 2_500)], b"\n", [1_000], MIB)  # a block is a little more than 256 KiB
@example([(MAX_BATCH_BYTES, 2), (0, 1_000), (MAX_BATCH_BYTES - 1, 1), (1, 1)], b"", [1_000], MIB)
@example([(MAX_BATCH_BYTES - 999, 1), (1, 999), (MAX_BATCH_BYTES - 998, 1), (1, 999)], b"", [1_000], MIB)
def test_runs_of_lines_of_all_sizes(runs: list[tuple[int, int]], end: bytes, counts: list[int], at_once: int) -> None:
    limited = [(size, count if size <= 600 else min(count, 2)) for size, count in runs]
    lines = [bytes([65 + position]) * size for position, (size, count) in enumerate(limited) for _ in range(count)]
    _assert_cuts_as_slowly(b"\n".join(lines) + end, counts, at_once=at_once)


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(0, 700), st.integers())
def test_lines_that_grow_and_shrink(step: int, longest: int, seed: int) -> None:
    lines = [b"x" * (number * step % (longest + 1)) for number in range(4_000)]
    if seed % 2:
        random.Random(seed).shuffle(lines)
    _assert_cuts_as_slowly(b"\n".join(lines), [1_000])


@pytest.mark.parametrize("before", [b"", b"a\n", b"a\n" * 1_500, b"x" * 300_000 + b"\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\nb\n"])
@pytest.mark.parametrize("take", [LineCutter.skip, lambda cutter, most: len(cutter.take(most)[1])])
def test_a_line_of_1_mib_is_taken_and_a_byte_more_is_refused(before: bytes, after: bytes, take: Take) -> None:
    lines = before + b"x" * MAX_VALUE_BYTES + after
    assert _taken(LineCutter(_read_from(lines), 0, END), take) == len(_lines_of(lines))
    cutter = LineCutter(_read_from(before + b"x" * (MAX_VALUE_BYTES + 1) + after), 0, END)
    with pytest.raises(LineTooLongError):
        _taken(cutter, take)
    assert cutter.position == len(before)


def _taken(cutter: LineCutter, take: Take) -> int:
    taken = 0
    while values := take(cutter, 1_000):
        taken += values
    return taken


@pytest.mark.parametrize("start", [0, 4, 8])
def test_a_part_is_cut_from_its_start_to_its_end(start: int) -> None:
    content = b"abc\n" * 5
    cutter = LineCutter(_read_from(content), start, 12)
    assert cutter.take(1_000)[1] == [b"abc"] * ((12 - start) // 4)
    assert (cutter.position, cutter.take(1_000)) == (12, (b"", []))


@pytest.mark.parametrize("size", [0, 7, 130, 5_000, MIB])
@pytest.mark.parametrize("take", [LineCutter.skip, lambda cutter, most: len(cutter.take(most)[1])])
def test_little_is_held_of_a_long_file(size: int, take: Take) -> None:
    line = b"x" * size + b"\n"
    piece = line * (2 + MIB // len(line))
    cutter = LineCutter(lambda size, start: piece[start % len(line) :][:size], 0, 4 * MIB // len(line) * len(line))
    tracemalloc.start()
    try:
        _taken(cutter, take)
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()
    assert cutter.position == 4 * MIB // len(line) * len(line)
