"""The record of a run: what is written can be read, and nothing else can."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.record import RunRecord, ShopCount, attempt_field, chunk_field, decode_points, signal_field
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES, MAX_SEGMENTS, MAX_VALUE_BYTES
from tests.stage.field_values import (
    NO_NUMBERS,
    NO_TOKENS,
    RUN_ID,
    raw_fields,
    tokens,
)

RECORD = RunRecord(
    run_id=RUN_ID,
    source="numbers",
    count=10_000,
    segment_values=1_000_000,
    max_value_bytes=5,
    users=1,
    skus=2,
    carts=1,
    seed=1,
    retain_ms=604_800_000,
    command="server-a run --count 10000",
)


class TestRunRecord:
    def test_fields(self) -> None:
        assert RECORD.encode() == {
            "schema_version": "1",
            "run_id": RUN_ID,
            "source": "numbers",
            "overwrite": "0",
            "command": "server-a run --count 10000",
            "count": "10000",
            "segment_values": "1000000",
            "max_value_bytes": "5",
            "users": "1",
            "skus": "2",
            "carts": "1",
            "seed": "1",
            "retain_ms": "604800000",
        }
        assert (signal_field(3), attempt_field(3), chunk_field(3)) == ("signal:3", "attempt:3", "chunk_values:3")

    def test_overwriting_is_kept_and_may_be_missing(self) -> None:
        record = replace(RECORD, overwrite=True)
        fields = raw_fields(record.encode())
        assert RunRecord.decode("run:x", fields) == record
        del fields[b"overwrite"]
        assert RunRecord.decode("run:x", fields) == RECORD

    @given(
        tokens,
        st.sampled_from(["numbers", "values"]),
        st.integers(1, MAX_COUNT),
        st.integers(1, MAX_SEGMENT_VALUES),
        st.lists(st.integers(0, MAX_VALUE_BYTES), min_size=6, max_size=6),
    )
    def test_round_trip(self, run_id: str, source: str, count: int, segment_values: int, others: list[int]) -> None:
        count = min(count, segment_values * MAX_SEGMENTS)
        numbers: dict[str, Any] = dict(zip(RunRecord.NUMBERS, (count, segment_values, *others), strict=True))
        record = RunRecord(run_id, source, **numbers)
        assert RunRecord.decode("run:x", raw_fields(record.encode())) == record

    def test_fields_that_say_how_far_it_is_do_not_matter(self) -> None:
        more = {b"published": b"1", b"finished_ms": b"0", b"signal:1": b"1-0", b"chunk_values:1": b"4", b"new": b"\xff"}
        assert RunRecord.decode("run:x", raw_fields(RECORD.encode()) | more) == RECORD

    @given(st.text(max_size=200))
    def test_the_command_is_kept_as_it_was_typed(self, command: str) -> None:
        record = replace(RECORD, command=command)
        assert RunRecord.decode("run:x", raw_fields(record.encode())) == record

    @pytest.mark.parametrize(
        ("raw", "command"),
        [
            (None, ""),
            (b"x" * 1_000, "x" * 1_000),
            (b"x" * 1_001, "x" * 1_000),
            (b"server-a run \xff", "server-a run \\xff"),
        ],
    )
    def test_the_command_may_be_missing_long_or_no_text(self, raw: bytes | None, command: str) -> None:
        fields = raw_fields(RECORD.encode())
        del fields[b"command"]
        record = RunRecord.decode("run:x", fields if raw is None else fields | {b"command": raw})
        assert record == replace(RECORD, command=command)

    @pytest.mark.parametrize("name", [name for name in RECORD.encode() if name not in ("command", "overwrite")])
    def test_a_missing_field_is_refused_by_its_name(self, name: str) -> None:
        fields = raw_fields(RECORD.encode())
        del fields[name.encode()]
        with pytest.raises(InvalidInputError) as caught:
            RunRecord.decode("run:x", fields)
        assert caught.value.where == f"run:x {name}"

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name in RunRecord.NUMBERS for value in NO_NUMBERS if value != b"0"]
        + [(name, b"0") for name in ("count", "segment_values")]
        + [("count", str(MAX_COUNT + 1).encode()), ("segment_values", str(MAX_SEGMENT_VALUES + 1).encode())]
        + [("run_id", value) for value in NO_TOKENS]
        + [("overwrite", value) for value in (b"", b"2", b"00", b"yes", b"\xff")]
        + [("source", value) for value in (b"", b"Numbers", b"lines", b"\xff")]
        + [("schema_version", value) for value in (b"", b"0", b"2", b"99")],
    )
    def test_a_malformed_field_is_refused_by_its_name(self, name: str, value: bytes) -> None:
        with pytest.raises(InvalidInputError) as caught:
            RunRecord.decode("run:x", raw_fields(RECORD.encode()) | {name.encode(): value})
        assert caught.value.where == f"run:x {name}"

    @pytest.mark.parametrize(
        ("count", "segment_values", "segments"), [(1, 1, 1), (10, 3, 4), (10, 5, 2), (10, 10, 1), (10, 11, 1)]
    )
    def test_segments(self, count: int, segment_values: int, segments: int) -> None:
        assert replace(RECORD, count=count, segment_values=segment_values).segments == segments


POINTS = [(0, 0), (1_764_000_000_000, 2_000), (2**53 - 1, 2**53 - 1)]


def test_points_are_pairs_of_numbers_in_their_order() -> None:
    assert decode_points(json.dumps(POINTS).encode()) == POINTS
    assert decode_points(b" [ [3, 1],\n[2, 2] ] ") == [(3, 1), (2, 2)]
    assert decode_points(None) == decode_points(b"") == decode_points(b"[]") == []


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"1",
        b"null",
        b'"[[1, 2]]"',
        b'{"1": 2}',
        b"[1, 2]",
        b"[[1, 2]",
        b"[[1, 2]] [[1, 2]]",
        b"[" * 100_000,
        b"[[1, " + b"9" * 5_000 + b"]]",
        json.dumps([[1, 2]] * 1_001).encode(),
    ],
)
def test_what_holds_no_points_is_somebody_elses(raw: bytes) -> None:
    assert decode_points(raw) == []


@pytest.mark.parametrize(
    "pair",
    [
        "[1]",
        "[1, 2, 3]",
        "[-1, 2]",
        "[1, -2]",
        "[1.0, 2]",
        "[true, 2]",
        "[1, null]",
        "[9007199254740992, 1]",
        "[NaN, 1]",
    ],
)
def test_a_pair_that_is_none_is_left_out(pair: str) -> None:
    assert decode_points(f"[[1, 2], {pair}, [3, 4]]".encode()) == [(1, 2), (3, 4)]


def test_a_thousand_points_are_read() -> None:
    assert len(decode_points(json.dumps([[1, 2]] * 1_000).encode())) == 1_000


@given(st.binary() | st.recursive(st.integers() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode))
def test_any_bytes_are_read_as_points_or_none(raw: bytes) -> None:
    for first, second in decode_points(raw):
        assert 0 <= first < 2**53
        assert 0 <= second < 2**53


class TestShopCount:
    @given(st.integers(0, 3 * 10**8), st.integers(0, 3 * 10**8))
    def test_round_trip(self, looked: int, kept: int) -> None:
        count = ShopCount(max(looked, kept), min(looked, kept))
        assert ShopCount.decode("run:x", raw_fields(count.encode())) == count

    def test_nothing_was_counted_where_nothing_is_noted(self) -> None:
        assert ShopCount.decode("run:x", {}) == ShopCount(0, 0)

    @pytest.mark.parametrize("name", ["shop_looked", "shop_kept"])
    @pytest.mark.parametrize("value", [value for value in NO_NUMBERS if value != b"0"])
    def test_a_malformed_field_is_refused_by_its_name(self, name: str, value: bytes) -> None:
        with pytest.raises(InvalidInputError) as caught:
            ShopCount.decode("run:x", {name.encode(): value})
        assert caught.value.where == f"run:x {name}"
