"""A file that changes after it was scanned: whatever changed, the segment in which it shows is refused."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server_a.run.line_cutter import READ_BYTES
from server_a.run.lines import LineSource
from server_a.run.values import Batch
from server_a.run.writers import MOST_TASKS
from shared.errors import InvalidInputError
from shared.segments import segment_range
from shared.stopping import StopRequest
from tests.stage.faulty_link import FaultyLink
from tests.stage.hand_over_in_process import HandOver, stored_values

if TYPE_CHECKING:
    import redis

SEGMENT_VALUES = 2_500
COUNT = 10_000
FEW_VALUES = COUNT // (5 * MOST_TASKS)  # so that a writer holds a fifth of the segments at most
_HELD_BYTES = 2 * READ_BYTES
NEVER = StopRequest()
Change = Callable[[bytearray, random.Random], None]


def _flip(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 0x80


def _swap_lines(content: bytearray, chance: random.Random) -> None:
    lines = content.split(b"\n")
    first, second = chance.sample(range(len(lines) - 1), 2)
    lines[first], lines[second] = lines[second], lines[first]
    content[:] = b"\n".join(lines)


def _move_newline(content: bytearray, chance: random.Random) -> None:
    """Give a byte of one line to the next."""
    at = content.index(b"\n", chance.randrange(len(content) - 500))
    content[at], content[at + 1] = content[at + 1], content[at]


def _join_two(content: bytearray, chance: random.Random) -> None:
    content[content.index(b"\n", chance.randrange(len(content) - 500))] = ord(" ")


def _split_one(content: bytearray, chance: random.Random) -> None:
    content[content.index(b"x", chance.randrange(len(content) - 500))] = ord("\n")


def _rewrite(content: bytearray, _chance: random.Random) -> None:
    content[:] = content.replace(b"x", b"y")


def _shrink(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def _shrink_and_fill(content: bytearray, chance: random.Random) -> None:
    """Leave a hole, as a file that is truncated and written again from its old end."""
    at = chance.randrange(len(content) - 500)
    content[at:] = bytes(len(content) - at)


def _grow(content: bytearray, chance: random.Random) -> None:
    content += b"more\n" * chance.randrange(1, 5_000)


def _remove_newline(content: bytearray, _chance: random.Random) -> None:
    del content[-1]


_IN_PLACE: list[Change] = [_flip, _swap_lines, _move_newline, _join_two, _split_one, _rewrite, _shrink_and_fill]
CHANGES: list[Change] = [*_IN_PLACE, _shrink, _grow, _remove_newline]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of values."""
    path = tmp_path / "values.txt"
    path.write_bytes(b"".join(b"%dx%s\n" % (number, b"a" * (number % 160)) for number in range(COUNT)))
    return path


def _write_in_place(path: Path, content: bytes | bytearray) -> None:
    """Rewrite a file without a moment at which it is empty, and set its times back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _segments(source: LineSource) -> Iterator[Iterator[Batch]]:
    for number in range(1, -(-COUNT // SEGMENT_VALUES) + 1):
        yield source.batches(segment_range(number, count=COUNT, segment_values=SEGMENT_VALUES))


def _complete_segments(source: LineSource) -> dict[int, list[bytes]]:
    """Return the values of the segments that a writer would have published."""
    complete = {}
    for number, batches in enumerate(_segments(source), 1):
        with suppress(InvalidInputError):
            complete[number] = b"\n".join([batch.joined for batch in batches]).split(b"\n")
    return complete


@pytest.mark.parametrize(("change", "seed"), list(product(CHANGES, range(6))))
def test_no_segment_of_other_lines_is_complete(path: Path, change: Change, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    scanned = content.split(b"\n")[:-1]
    with closing(LineSource(str(path), segment_values=SEGMENT_VALUES, stop=NEVER)) as source:
        change(content, chance)
        _write_in_place(path, content)
        complete = _complete_segments(source)
    assert len(complete) < COUNT // SEGMENT_VALUES, "the change was not noticed"
    for number, lines in complete.items():
        is_as_scanned = lines == scanned[(number - 1) * SEGMENT_VALUES : number * SEGMENT_VALUES]
        assert is_as_scanned, f"segment {number}"


@pytest.mark.parametrize(("change", "seed"), list(product(CHANGES, range(3))))
def test_a_change_while_a_segment_is_read_is_noticed_before_its_last_batch(
    path: Path, change: Change, seed: int
) -> None:
    content = bytearray(path.read_bytes())
    with closing(LineSource(str(path), segment_values=COUNT, stop=NEVER)) as source:
        batches = source.batches(segment_range(1, count=COUNT, segment_values=COUNT))
        read = [next(batches)]  # the first two pieces of the file are in memory by now
        later = content[_HELD_BYTES:]
        change(later, random.Random(seed))
        content[_HELD_BYTES:] = later
        _write_in_place(path, content)
        with pytest.raises(InvalidInputError, match="segment 1 as it was scanned") as caught:
            read.extend(batches)
    assert (caught.value.where, caught.value.got) == (str(path), "a file that changed since")
    assert sum(batch.values for batch in read) < COUNT


def test_a_file_whose_time_alone_changed_is_refused(path: Path) -> None:
    with closing(LineSource(str(path), segment_values=SEGMENT_VALUES, stop=NEVER)) as source:
        os.utime(path, ns=(0, 0))
        assert not _complete_segments(source)


def test_a_line_that_became_too_long_is_a_change(path: Path) -> None:
    path.write_bytes(b"a\n" * 3_000_000)
    with closing(LineSource(str(path), segment_values=3_000_000, stop=NEVER)) as source:
        _write_in_place(path, b"a" * 6_000_000)
        with pytest.raises(InvalidInputError, match="segment 1 as it was scanned"):
            list(source.batches(segment_range(1, count=3_000_000, segment_values=3_000_000)))


@pytest.mark.parametrize("change", _IN_PLACE)
def test_nothing_of_a_changed_segment_is_published(
    hand_over: HandOver, link: FaultyLink, client: redis.Redis, path: Path, change: Change
) -> None:
    content = bytearray(path.read_bytes())
    scanned = content.split(b"\n")[:-1]
    # in the last segments, which nobody reads before the first one is published; one that is being read may notice too
    place = 3 * len(content) // 4
    later = content[place:]
    change(later, random.Random(1))
    changed = bytes(content[:place] + later)
    link.at(b"RENAME", lambda: _write_in_place(path, changed))
    with pytest.raises(InvalidInputError, match=r"segment (?!1 )\d+ as it was scanned") as caught:
        hand_over.produce(url=link.url, values=str(path), segment_values=FEW_VALUES)
    assert caught.value.exit_code == 2
    published = stored_values(client, hand_over.keys, segments=COUNT // FEW_VALUES)
    assert len(published) in range(FEW_VALUES, COUNT, FEW_VALUES)
    is_as_scanned = published == scanned[: len(published)]
    assert is_as_scanned
