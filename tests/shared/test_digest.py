"""Digests, against the words of the design spelled a second time, and against another program's results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.digest import SegmentDigest, block_digest, blocks_of, combined_digest, run_digest
from tests.stage.second_opinions import naive_segment_digest, raw_digest

values_lists = st.lists(st.binary(max_size=3).map(lambda raw: raw.replace(b"\n", b"")), max_size=30)


def _fed(values: list[bytes], cuts: list[int]) -> SegmentDigest:
    """Feed values in pieces as long as `cuts` says, in turn, but never across a border between blocks."""
    digest = SegmentDigest()
    done = turn = 0
    while done < len(values):
        room = 1_000 - done % 1_000
        piece = values[done : done + min(cuts[turn % len(cuts)], room)]
        digest.add(b"\n".join(piece), len(piece))
        done += len(piece)
        turn += 1
    return digest


# printf '1\n2\n3' | b2sum -l 128, and that as bytes into b2sum -l 128 again; a block of 1,000 the same way
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "cae66941d9efbd404e4d88758ea67670"),
        (3, "cdd8bcc14ec785b158419e13543fb1af"),
        (1_000, "3683cce136944553c80cb28d7143a3cc"),
        (1_001, "f3f449e7b1aba54120119f245d6eb653"),
        (2_500, "989191126aaefc49f35f71473ccfb7eb"),
        (10_000, "97630108292763d6b16b693f7e36d0aa"),
    ],
)
def test_digests_that_b2sum_gives_for_the_numbers(count: int, expected: str) -> None:
    values = [b"%d" % number for number in range(1, count + 1)]
    assert _fed(values, [1_000]).hexdigest() == naive_segment_digest(values) == expected


def test_a_blocks_digest_that_b2sum_gives() -> None:
    assert block_digest(b"1\n2\n3").hex() == "d5369350e2b0d76ede421f5eab5b064b"


@given(st.integers(0, 3_100), st.lists(st.integers(1, 1_000), min_size=1, max_size=20))
def test_numbers_in_any_pieces_have_the_same_digest(count: int, cuts: list[int]) -> None:
    values = [b"%d" % number for number in range(1, count + 1)]
    assert _fed(values, cuts).hexdigest() == naive_segment_digest(values)


@given(values_lists, st.integers(0, 1_010), st.lists(st.integers(1, 1_000), min_size=1, max_size=20))
def test_any_bytes_in_any_pieces_have_the_same_digest(some: list[bytes], before: int, cuts: list[int]) -> None:
    """Empty values count too; `before` moves them to the border between two blocks."""
    values = [b""] * before + some
    assert _fed(values, cuts).hexdigest() == naive_segment_digest(values)


@given(st.integers(0, 3_100), st.lists(st.integers(1, 1_000), min_size=1, max_size=20))
def test_the_blocks_are_the_raw_digests_of_the_blocks_in_order(count: int, cuts: list[int]) -> None:
    values = [b"%d" % number for number in range(count)]
    digest = _fed(values, cuts)
    whole = count - count % 1_000
    expected = [raw_digest(b"\n".join(values[start : start + 1_000])) for start in range(0, count, 1_000)]
    assert digest.blocks == b"".join(expected[: whole // 1_000])
    found = digest.hexdigest()
    assert digest.blocks == b"".join(expected)
    assert len(digest.blocks) == 16 * blocks_of(count)
    assert combined_digest(expected).hex() == found


def test_asking_for_the_digest_twice_adds_no_block() -> None:
    digest = _fed([b"1", b"2"], [1])
    assert digest.hexdigest() == digest.hexdigest()
    assert len(digest.blocks) == 16


@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001])
def test_the_number_of_empty_values_matters(count: int) -> None:
    assert _fed([b""] * count, [7]).hexdigest() != _fed([b""] * (count + 1), [7]).hexdigest()


def test_a_combined_digest_is_over_raw_digests() -> None:
    raws = [raw_digest(b"a"), raw_digest(b"b")]
    assert combined_digest(raws) == raw_digest(raws[0] + raws[1])
    assert combined_digest(iter(raws)) != combined_digest(reversed(raws))


@given(st.lists(values_lists, min_size=1, max_size=5))
def test_a_runs_digest_is_over_its_segments_raw_digests(segments: list[list[bytes]]) -> None:
    digests = [naive_segment_digest(values) for values in segments]
    assert run_digest(digests) == raw_digest(b"".join(bytes.fromhex(each) for each in digests)).hex()


def test_a_runs_digest_is_not_its_only_segments() -> None:
    # printf 97630108292763d6b16b693f7e36d0aa | xxd -r -p | b2sum -l 128
    assert run_digest(["97630108292763d6b16b693f7e36d0aa"]) == "e0f5f4ef25f10d8f4be2254428fb4bbb"


@given(st.integers(0, 10**9))
def test_blocks_hold_1000_values_but_the_last(count: int) -> None:
    assert (blocks_of(count) - 1) * 1_000 < count <= blocks_of(count) * 1_000 or count == blocks_of(count) == 0
