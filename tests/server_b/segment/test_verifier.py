"""The verifier takes exactly the list that was announced, and no other, in chunks of any size."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server_b.segment.chunks import Chunk, chunks_by_block
from server_b.segment.verifier import SegmentVerifier
from tests.stage.second_opinions import naive_segment_digest

values_strategy = st.builds(
    lambda filler, some, after: [b"%d" % number for number in range(filler)] + some + [b""] * after,
    # mostly small, but also around the borders of blocks
    st.one_of(st.integers(0, 20), st.integers(980, 1_020), st.integers(1_990, 2_010)),
    st.lists(st.binary(max_size=5).map(lambda raw: raw.replace(b"\n", b"\r")), min_size=2, max_size=20),
    st.integers(0, 3),
)
chunk_sizes = st.one_of(st.integers(1, 1_000), st.sampled_from([1, 7, 333, 500, 999, 1_000]))


def examine(announced: list[bytes], found: list[bytes], *, chunk_values: int = 1_000) -> tuple[str, SegmentVerifier]:
    """Return what is wrong with a list, as the examiner goes about it.

    The length comes first, since a list may go on behind the last chunk; then the list's chunks, each from its head.
    """
    verifier = SegmentVerifier(count=len(announced), digest=naive_segment_digest(announced))
    if len(found) != len(announced):
        return f"{len(found)} values", verifier
    from_head = found[::-1]
    for chunk in chunks_by_block(len(announced), chunk_values=chunk_values):
        if wrong := verifier.add(chunk, from_head[chunk.start : chunk.stop + 1]):
            return wrong, verifier
    return verifier.verdict(), verifier


@given(values_strategy, chunk_sizes)
def test_the_right_list_is_verified(values: list[bytes], chunk_values: int) -> None:
    wrong, verifier = examine(values, values.copy(), chunk_values=chunk_values)
    assert wrong == ""
    assert verifier.values == len(values)


@given(values_strategy, chunk_sizes, st.data())
def test_a_dropped_value_is_noticed(values: list[bytes], chunk_values: int, data: st.DataObject) -> None:
    found = values.copy()
    del found[data.draw(st.integers(0, len(values) - 1))]
    assert examine(values, found, chunk_values=chunk_values)[0]


@given(values_strategy, chunk_sizes, st.data())
def test_an_added_value_is_noticed(values: list[bytes], chunk_values: int, data: st.DataObject) -> None:
    found = values.copy()
    found.insert(data.draw(st.integers(0, len(values))), data.draw(st.binary(max_size=3)))
    assert examine(values, found, chunk_values=chunk_values)[0]


@given(values_strategy, chunk_sizes, st.data())
def test_a_changed_value_is_noticed(values: list[bytes], chunk_values: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(values) - 1))
    change = data.draw(st.binary(max_size=5))
    assume(change != values[position])
    found = values.copy()
    found[position] = change
    wrong = examine(values, found, chunk_values=chunk_values)[0]
    assert wrong.startswith("changed: ")


@given(values_strategy, chunk_sizes, st.data())
def test_two_values_that_changed_places_are_noticed(
    values: list[bytes], chunk_values: int, data: st.DataObject
) -> None:
    one, other = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
    assume(values[one] != values[other])
    found = values.copy()
    found[one], found[other] = found[other], found[one]
    assert examine(values, found, chunk_values=chunk_values)[0].startswith("changed: ")


@given(values_strategy, chunk_sizes, st.data())
def test_a_value_in_place_of_another_is_noticed(values: list[bytes], chunk_values: int, data: st.DataObject) -> None:
    """A value twice and another one missing leave the length as it was."""
    twice, missing = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
    found = values.copy()
    found.insert(twice, values[twice])
    del found[missing if missing < twice else missing + 1]
    assume(found != values)
    assert examine(values, found, chunk_values=chunk_values)[0].startswith("changed: ")


@given(values_strategy, chunk_sizes)
def test_a_list_the_wrong_way_round_is_noticed(values: list[bytes], chunk_values: int) -> None:
    assume(values != values[::-1])
    assert examine(values, values[::-1], chunk_values=chunk_values)[0].startswith("changed: ")


@given(st.lists(st.integers(0, 2), min_size=2, max_size=4, unique=True), chunk_sizes)
def test_blocks_in_another_order_are_noticed(order: list[int], chunk_values: int) -> None:
    blocks = [[b"%d" % (block * 1_000 + number) for number in range(1_000)] for block in range(3)]
    values = [value for block in sorted(order) for value in blocks[block]]
    found = [value for block in order for value in blocks[block]]
    assert bool(examine(values, found, chunk_values=chunk_values)[0]) == (order != sorted(order))


@pytest.mark.parametrize("surplus", [-1, 1])
@pytest.mark.parametrize("chunk_values", [400, 1_000])
def test_a_chunk_of_another_size_than_asked_for_is_noticed_at_once(chunk_values: int, surplus: int) -> None:
    values = [b"%d" % number for number in range(1_500)]
    verifier = SegmentVerifier(count=1_500, digest=naive_segment_digest(values))
    chunk = next(chunks_by_block(1_500, chunk_values=chunk_values))
    assert f"{chunk.values + surplus} values" in verifier.add(chunk, [b"x"] * (chunk.values + surplus))


def test_a_list_that_was_not_read_to_its_end_is_short() -> None:
    values = [b"%d" % number for number in range(2_500)]
    verifier = SegmentVerifier(count=2_500, digest=naive_segment_digest(values))
    chunks = list(chunks_by_block(2_500))
    from_head = values[::-1]
    for chunk in chunks[:-1]:
        assert not verifier.add(chunk, from_head[chunk.start : chunk.stop + 1])
    assert verifier.verdict() == "short: 1500 values of 2500"


def test_a_value_that_could_be_two_is_not_taken_for_them() -> None:
    """A foreign client can push a newline, which in the digest stands between values; the number of values tells."""
    announced = [b"a", b"b", b"c"]
    assert examine(announced, [b"a\nb", b"c"])[0]
    assert examine(announced, [b"a\nb", b"c", b""])[0].startswith("changed: ")


def test_a_block_may_come_one_value_at_a_time() -> None:
    values = [b"%d" % number for number in range(1_000)]
    verifier = SegmentVerifier(count=1_000, digest=naive_segment_digest(values))
    for position in range(1_000):
        chunk = Chunk(0, 999 - position, 999 - position, ends_block=position == 999)
        assert not verifier.add(chunk, [values[position]])
    assert verifier.verdict() == ""
