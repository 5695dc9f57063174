"""Input that can be read only once is copied first; and what was scanned once is read by several at once."""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from server_a.run.lines import LineSource, ScannedLines
from shared.errors import InvalidInputError
from shared.segments import segment_range, segments_of
from shared.stopping import StopRequest
from tests.stage.line_values import MIB, batches_of, lines_of_batches
from tests.stage.second_opinions import decode_bulk

NEVER = StopRequest()
open_lines = partial(LineSource, stop=NEVER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A name for a file of values."""
    return tmp_path / "values.txt"


CONTENT = b"".join(b"line %d\r\n" % number for number in range(30_000)) + b"the end"
"""More than a pipe holds."""


def _feeder(write: int | Path) -> threading.Thread:
    def feed() -> None:
        with open(write, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(CONTENT)

    thread = threading.Thread(target=feed)
    thread.start()
    return thread


def test_a_fifo_is_spooled(path: Path) -> None:
    os.mkfifo(path)
    feeder = _feeder(path)
    with closing(open_lines(str(path), segment_values=999)) as source:
        feeder.join()
        for _ in range(2):
            assert lines_of_batches(batches_of(source, 999)) == CONTENT.split(b"\n")


def test_standard_input_is_spooled(monkeypatch: pytest.MonkeyPatch) -> None:
    read_fd, write_fd = os.pipe()
    feeder = _feeder(write_fd)
    with open(read_fd, encoding="utf-8") as stdin:  # noqa: PTH123 - a descriptor has no path
        monkeypatch.setattr("sys.stdin", stdin)
        with closing(open_lines("-", segment_values=7_000)) as source:
            feeder.join()
            assert source.describe() == "30,001 lines of standard input"
            for _ in range(2):
                assert lines_of_batches(batches_of(source, 7_000)) == CONTENT.split(b"\n")


def test_a_file_as_standard_input_is_read_from_where_it_stands(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"header\na\nb\n")
    with path.open("rb", buffering=0) as file:
        file.read(7)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(file)))
        with closing(open_lines("-", segment_values=10)) as source:
            assert lines_of_batches(batches_of(source, 10)) == [b"a", b"b"]


@pytest.mark.parametrize("before", [b"", b"a\n" * 700_000 + b"b", b"a\n" * 3])
def test_a_line_without_end_is_refused_before_it_is_copied(path: Path, before: bytes) -> None:
    os.mkfifo(path)
    fed: list[int] = []

    def feed() -> None:
        with path.open("wb", buffering=0) as file, suppress(BrokenPipeError):
            fed.extend(file.write(piece) for piece in (before, *[bytes(64 * 1024)] * 1_024))

    feeder = threading.Thread(target=feed)
    feeder.start()
    with pytest.raises(InvalidInputError, match="at most 1 MiB") as caught:
        open_lines(str(path), segment_values=1)
    feeder.join()
    number = before.count(b"\n") + 1
    assert caught.value.where == f"{path} line {number}"
    assert sum(fed) < len(before) + 3 * MIB


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1])
@pytest.mark.parametrize("parts", [2, 3, 17])
def test_lines_of_a_pipe_may_have_1_mib_however_they_come(path: Path, size: int, parts: int) -> None:
    os.mkfifo(path)
    content = b"a\n" + (b"x" * size + b"\n") * 2 + b"x" * size

    def feed() -> None:
        with path.open("wb", buffering=0) as file, suppress(BrokenPipeError):
            for start in range(0, len(content), len(content) // parts):
                file.write(content[start : start + len(content) // parts])

    feeder = threading.Thread(target=feed)
    feeder.start()
    if size > MIB:
        with pytest.raises(InvalidInputError, match="line 2"):
            open_lines(str(path), segment_values=9)
    else:
        with closing(open_lines(str(path), segment_values=9)) as source:
            assert lines_of_batches(batches_of(source, 9)) == content.split(b"\n")
    feeder.join()


def _copy_of_standard_input(monkeypatch: pytest.MonkeyPatch, *, segment_values: int) -> LineSource:
    """Return a scanned copy, whose file has no name."""
    read_fd, write_fd = os.pipe()
    feeder = _feeder(write_fd)
    with open(read_fd, encoding="utf-8") as stdin:  # noqa: PTH123 - a descriptor has no path
        monkeypatch.setattr("sys.stdin", stdin)
        source = open_lines("-", segment_values=segment_values)
    feeder.join()
    return source


def _values(source: ScannedLines, number: int, segment_values: int) -> list[bytes]:
    segment = segment_range(number, count=source.count, segment_values=segment_values)
    return [value for batch in source.batches(segment) for value in decode_bulk(batch)]


def test_threads_read_segments_of_one_file_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(_copy_of_standard_input(monkeypatch, segment_values=1_777)) as source, ThreadPoolExecutor(8) as pool:
        numbers = list(range(1, segments_of(source.count, 1_777) + 1)) * 5
        read = list(pool.map(partial(_values, source, segment_values=1_777), numbers))
        # batches of all segments in turn, from one thread
        segments = [segment_range(number, count=source.count, segment_values=1_777) for number in set(numbers)]
        in_turn = list(zip(*(source.batches(segment) for segment in segments[:-1]), strict=True))
    by_segment = [
        [value for batch in batches for value in decode_bulk(batch)] for batches in zip(*in_turn, strict=True)
    ]
    expected = CONTENT.split(b"\n")
    assert read == [expected[(number - 1) * 1_777 : number * 1_777] for number in numbers]
    assert by_segment == read[: len(segments) - 1]


def _read_in_child(source: ScannedLines, number: int, answer: Connection) -> None:
    with closing(source):
        answer.send(_values(source, number, 10_001))


def read_by_children(method: str) -> str:
    """Scan a copy of standard input, have each segment read by a process, and return whether that gave its lines."""
    context: Any = multiprocessing.get_context(method)
    children = []
    with closing(open_lines("-", segment_values=10_001)) as source:
        for number in range(1, segments_of(source.count, 10_001) + 1):
            ours, theirs = context.Pipe(duplex=False)
            with closing(source.share()) as shared:
                child = context.Process(target=_read_in_child, args=(shared, number, theirs))
                child.start()
            theirs.close()
            children.append((child, ours))
    # the source is closed here, and the children still read
    read = [value for _, ours in children for value in ours.recv()]
    for child, _ in children:
        child.join()
    is_equal = read == CONTENT.split(b"\n")
    return f"{[child.exitcode for child, _ in children]} {is_equal}"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_read_a_copy_without_scanning_it_again(method: str) -> None:
    # in a process of its own, since multiprocessing leaves helpers running until its process ends
    program = f"from {__name__} import read_by_children; print(read_by_children({method!r}))"
    said = subprocess.run([sys.executable, "-c", program], input=CONTENT, capture_output=True, timeout=60, check=True)
    assert said.stdout.decode() == "[0, 0, 0] True\n", said.stderr.decode()


def test_whoever_shares_a_file_closes_it(path: Path) -> None:
    path.write_bytes(b"a\nb\n")
    source = open_lines(str(path), segment_values=1)
    shared = source.share()
    source.close()
    assert shared.describe() == f"2 lines of {path}"
    assert _values(shared, 2, 1) == [b"b"]
    shared.close()
    source.close()
    with pytest.raises(ValueError, match="closed"):
        _values(shared, 2, 1)
