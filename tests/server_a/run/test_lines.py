"""Values from a file: which bytes make a line, where batches and segments begin, what is refused."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server_a.run.line_cutter import MAX_BATCH_BYTES
from server_a.run.line_file import LineFile
from server_a.run.lines import LineSource
from server_a.run.values import Batch
from shared.errors import InvalidInputError, NotFinishedError
from shared.segments import segment_range
from shared.stopping import StopRequest
from tests.stage.line_values import MIB, batches_of, lines_of_batches
from tests.stage.second_opinions import decode_bulk

QUARTER = MAX_BATCH_BYTES // 4
NEVER = StopRequest()
open_lines = partial(LineSource, stop=NEVER)


def _read(path: Path, segment_values: int = 1_000_000) -> list[bytes]:
    with closing(open_lines(str(path), segment_values=segment_values)) as source:
        lines = lines_of_batches(batches_of(source, segment_values))
        assert source.count == len(lines)
        assert source.max_value_bytes == max(map(len, lines))
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A name for a file of values."""
    return tmp_path / "values.txt"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"\n", [b""]),
        (b"\n\n", [b"", b""]),
        (b"\na", [b"", b"a"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\r\nb\r", [b"a\r", b"b\r"]),
        (b"\xff\xfe\n\x00\n", [b"\xff\xfe", b"\x00"]),
        ("東京\n".encode(), ["東京".encode()]),
        (b"a\x0bb\x0cc\x85d\xe2\x80\xa8e\x1cf\n", [b"a\x0bb\x0cc\x85d\xe2\x80\xa8e\x1cf"]),
        (b" a \n\tb", [b" a ", b"\tb"]),
    ],
)
def test_a_line_is_whatever_stands_before_a_newline(path: Path, content: bytes, lines: list[bytes]) -> None:
    path.write_bytes(content)
    assert _read(path) == lines


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("before", [b"", b"a\n" * MIB])
def test_a_line_of_1_mib_is_taken(path: Path, before: bytes, end: bytes) -> None:
    path.write_bytes(before + b"x" * MIB + end)
    with closing(open_lines(str(path), segment_values=MIB)) as source:
        assert source.max_value_bytes == MIB
        (batch,) = source.batches(segment_range(1 + (source.count > MIB), count=source.count, segment_values=MIB))
        assert decode_bulk(batch)[-1] == b"x" * MIB


@pytest.mark.parametrize("end", [b"", b"\n", b"\nb\n"])
@pytest.mark.parametrize("lines_before", [0, 2, 1_500, MIB])
def test_a_line_of_a_byte_more_is_refused_by_its_number(path: Path, lines_before: int, end: bytes) -> None:
    path.write_bytes(b"a\n" * lines_before + b"x" * (MIB + 1) + end)
    with pytest.raises(InvalidInputError) as caught:
        open_lines(str(path), segment_values=1)
    assert caught.value.where == f"{path} line {lines_before + 1}"


def test_a_line_without_end_is_refused_before_it_is_held_in_memory(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    with pytest.raises(InvalidInputError) as caught:
        open_lines(str(path), segment_values=1)
    assert caught.value.where == f"{path} line 1"


def test_an_empty_file_is_refused(path: Path) -> None:
    path.touch()
    with pytest.raises(InvalidInputError, match="at least one line"):
        open_lines(str(path), segment_values=1)


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidInputError) as caught:
            open_lines(str(path), segment_values=1)
        assert (caught.value.where, caught.value.exit_code) == ("--values", 2)
        assert str(path) in caught.value.got


def test_sources_describe_themselves(path: Path) -> None:
    path.write_bytes(b"a\n")
    with closing(open_lines(str(path), segment_values=1)) as source:
        assert (source.describe(), source.source) == (f"1 line of {path}", "values")


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 2_000, 2_001, 3_000])
@pytest.mark.parametrize("segment_values", [100, 999, 1_000, 1_001, 2_000, 1_000_000])
def test_batches_are_whole_blocks(path: Path, count: int, segment_values: int) -> None:
    path.write_bytes(b"".join(b"%d\n" % number for number in range(count)))
    with closing(open_lines(str(path), segment_values=segment_values)) as source:
        segments = batches_of(source, segment_values)
    assert lines_of_batches(segments) == [b"%d" % number for number in range(count)]
    for batches in segments:
        assert [batch.values for batch in batches[:-1]] == [1_000] * (len(batches) - 1)
        assert 1 <= batches[-1].values <= 1_000


@pytest.mark.parametrize(
    ("sizes", "segment_values", "expected"),
    [
        ([QUARTER] * 9, 100, [[4, 4, 1]]),
        ([QUARTER] * 9, 4, [[4], [4], [1]]),
        ([QUARTER] * 3 + [QUARTER - 1, 1, 1], 100, [[5, 1]]),
        ([1] * 999 + [QUARTER] * 6, 2_000, [[999 + 1, 4, 1]]),
        ([1] * 998 + [QUARTER] * 6, 2_000, [[998 + 2, 4]]),
        # the fifth would cross the block's border, the batch after it is the next block's first
        ([QUARTER] * 4 + [1] * 1_500, 2_000, [[4, 996, 504]]),
        # the value that does not fit is another segment's
        ([QUARTER] * 8, 2, [[2], [2], [2], [2]]),
        ([QUARTER - 1] * 4 + [QUARTER] * 4, 4, [[4], [4]]),
    ],
)
def test_batches_hold_at_most_256_kib(
    path: Path, sizes: list[int], segment_values: int, expected: list[list[int]]
) -> None:
    with path.open("wb") as file:
        file.writelines(b"x" * size + b"\n" for size in sizes)
    with closing(open_lines(str(path), segment_values=segment_values)) as source:
        segments = batches_of(source, segment_values)
    assert [[batch.values for batch in batches] for batches in segments] == expected
    assert [len(line) for line in lines_of_batches(segments)] == sizes


def test_segments_can_be_read_in_any_order_and_again(path: Path) -> None:
    path.write_bytes(b"".join(b"%d\n" % number for number in range(100)))
    with closing(open_lines(str(path), segment_values=7)) as source:
        for number in (15, 1, 8, 8, 2):
            (batch,) = source.batches(segment_range(number, count=100, segment_values=7))
            first = (number - 1) * 7
            assert decode_bulk(batch) == [b"%d" % value for value in range(first, min(first + 7, 100))]


@pytest.mark.parametrize("change", [b"1\n2\n3\n4\n", b"1\n2\n", b"", b"1\n2\nx\n"])
def test_a_file_that_changed_since_it_was_scanned_is_refused(path: Path, change: bytes) -> None:
    path.write_bytes(b"1\n2\n3\n")
    scanned = path.stat()
    with closing(open_lines(str(path), segment_values=3)) as source:
        path.write_bytes(change)
        os.utime(path, ns=(scanned.st_atime_ns, scanned.st_mtime_ns + 1))
        with pytest.raises(InvalidInputError, match="changed since") as caught:
            list(source.batches(segment_range(1, count=3, segment_values=3)))
    assert caught.value.where == str(path)


def test_a_file_that_was_replaced_is_still_the_one_that_was_scanned(path: Path) -> None:
    path.write_bytes(b"1\n2\n3\n")
    with closing(open_lines(str(path), segment_values=3)) as source:
        path.unlink()
        path.write_bytes(b"other\n")
        assert lines_of_batches(batches_of(source, 3)) == [b"1", b"2", b"3"]


lines_strategy = st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"\r")), min_size=1, max_size=60)


@given(lines_strategy, st.integers(1, 70), st.sampled_from([b"", b"\n"]))
def test_all_segments_together_are_exactly_the_lines(lines: list[bytes], segment_values: int, end: bytes) -> None:
    # an empty last line is there only with its newline
    content = b"\n".join(lines) + (end or b"\n" * (not lines[-1]))
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        assert _read(Path(file.name), segment_values) == lines


@settings(max_examples=40)
@given(
    st.integers(900, 2_100),
    st.lists(st.tuples(st.integers(0, 2_099), st.integers(QUARTER - 9, QUARTER)), max_size=9),
    st.sampled_from([500, 999, 1_000, 1_001, 2_000, 5_000]),
)
def test_batches_of_large_lines_keep_within_blocks_and_256_kib(
    count: int, large: list[tuple[int, int]], segment_values: int
) -> None:
    sizes = [number % 3 for number in range(count)]
    for position, size in large:
        sizes[position % count] = size
    with tempfile.NamedTemporaryFile() as file:
        file.writelines(b"%b\n" % (b"x" * size) for size in sizes)
        file.flush()
        with closing(open_lines(file.name, segment_values=segment_values)) as source:
            segments = batches_of(source, segment_values)
    assert [len(line) for line in lines_of_batches(segments)] == sizes
    for batches in segments:
        _assert_keeps_within_blocks(batches)


def _assert_keeps_within_blocks(batches: list[Batch]) -> None:
    """Check one segment's batches: none is too large, none crosses a border, none is smaller than it could be."""
    end = 0
    for batch in batches:
        assert 1 <= batch.values <= 1_000
        assert _bytes_of(batch) <= 4 * QUARTER
        assert end // 1_000 == (end + batch.values - 1) // 1_000
        end += batch.values
    end = 0
    for batch, following in pairwise(batches):
        end += batch.values
        assert end % 1_000 == 0 or _bytes_of(batch) + len(decode_bulk(following)[0]) > 4 * QUARTER


def _bytes_of(batch: Batch) -> int:
    """Return the bytes of a batch's values, without what stands between them."""
    return len(batch.joined) - (batch.values - 1)


@pytest.mark.parametrize("is_pipe", [True, False])
def test_a_stop_request_ends_the_reading(path: Path, *, is_pipe: bool) -> None:
    with ExitStack() as stack:
        if is_pipe:
            os.mkfifo(path)
            stack.callback(os.close, os.open(path, os.O_RDWR))  # a writer that stays: no end comes
        else:
            path.write_bytes(b"line\n" * 1_000_000)
        stop = stack.enter_context(closing(StopRequest()))
        stop.request()
        with pytest.raises(NotFinishedError):
            LineSource(str(path), segment_values=10, stop=stop)


def test_a_file_that_changes_while_it_is_scanned_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"line\n" * 1_000_000)
    scanned: list[int] = []
    real = LineFile.read

    def read_and_change(file: LineFile, size: int, start: int) -> bytes:
        piece = real(file, size, start)
        if not scanned:
            path.write_bytes(b"changed\n" + piece)
        scanned.append(len(piece))
        return piece

    monkeypatch.setattr(LineFile, "read", read_and_change)
    with pytest.raises(InvalidInputError, match="changed since"):
        open_lines(str(path), segment_values=10)
    assert scanned


def test_what_cannot_be_read_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="Input/output error"):
        open_lines("/proc/self/mem", segment_values=10)
