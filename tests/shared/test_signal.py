"""Signals, states and run records: what is written can be read, and nothing else can."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError, WrongKeyError
from shared.record import RunRecord, attempt_field, chunk_field, decode_points, signal_field
from shared.segments import MAX_COUNT, MAX_SEGMENT_VALUES, MAX_SEGMENTS
from shared.signal import OPTIONAL_SIGNAL_FIELDS, SIGNAL_FIELDS, Signal
from shared.state import SegmentState
from shared.tokens import make_token

RUN_ID = "20261122T205801123Z-3f9a1c"
ATTEMPT = "20261122T205801124Z-0a1b2c"
DIGEST = "97630108292763d6b16b693f7e36d0aa"
SIGNAL = Signal(RUN_ID, ATTEMPT, 2, 3, 1_000_000, DIGEST)
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

tokens = st.integers(0, 4_102_444_800_000).map(make_token)
digests = st.binary(min_size=16, max_size=16).map(bytes.hex)

NO_NUMBERS = [b"", b"0", b"-1", b"+1", b"1.0", b"1e3", b" 1", b"1\n", b"1_0", b"x", b"\xd9\xa3", b"\xff", b"9" * 19]
NO_TOKENS = [b"", b"x", RUN_ID.encode() + b"\n", RUN_ID.upper().encode(), b"20261322T205801123Z-3f9a1c", b"\xff" * 26]
NO_DIGESTS = [b"", b"x" * 32, DIGEST.upper().encode(), DIGEST[1:].encode(), DIGEST.encode() + b"0", b"\xff" * 32]


def _raw(fields: dict[str, str]) -> dict[bytes, bytes]:
    """Return fields as a server gives them back."""
    return {name.encode(): value.encode() for name, value in fields.items()}


signals = st.builds(
    lambda run_id, attempt, segments, segment, count, digest: Signal(
        run_id, attempt, min(segment, segments), segments, count, digest
    ),
    tokens,
    tokens,
    st.integers(1, MAX_SEGMENTS),
    st.integers(1, MAX_SEGMENTS),
    st.integers(1, MAX_SEGMENT_VALUES),
    digests,
)


class TestSignal:
    def test_fields_are_those_of_the_design(self) -> None:
        assert SIGNAL.encode() == {
            "schema_version": "1",
            "run_id": RUN_ID,
            "attempt": ATTEMPT,
            "segment": "2",
            "segments": "3",
            "count": "1000000",
            "digest": DIGEST,
        }
        assert list(SIGNAL.encode()) == list(SIGNAL_FIELDS)
        assert OPTIONAL_SIGNAL_FIELDS == ("traceparent",)

    @given(signals)
    def test_round_trip(self, signal: Signal) -> None:
        assert Signal.decode(_raw(signal.encode())) == signal

    def test_a_traceparent_may_come_along(self) -> None:
        trace = {b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        assert Signal.decode(_raw(SIGNAL.encode()) | trace) == SIGNAL

    @pytest.mark.parametrize("name", SIGNAL_FIELDS)
    def test_a_missing_field_is_refused_by_its_name(self, name: str) -> None:
        fields = _raw(SIGNAL.encode())
        del fields[name.encode()]
        with pytest.raises(InvalidInputError, match=name):
            Signal.decode(fields)

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name in ("segment", "segments", "count") for value in NO_NUMBERS]
        + [(name, value) for name in ("run_id", "attempt") for value in NO_TOKENS]
        + [("digest", value) for value in NO_DIGESTS],
    )
    def test_a_malformed_field_is_refused_by_its_name(self, name: str, value: bytes) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Signal.decode(_raw(SIGNAL.encode()) | {name.encode(): value})
        assert caught.value.where == f"signal {name}"
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("name", [b"", b"extra", b"Count", b"count ", b"\xff", b"x" * 10_000])
    def test_an_unknown_field_is_refused(self, name: bytes) -> None:
        with pytest.raises(InvalidInputError, match="only the fields of schema 1") as caught:
            Signal.decode(_raw(SIGNAL.encode()) | {name: b"1"})
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("version", [b"0", b"2", b"99", b"", b"01", b"1.0", b" 1", b"one", b"\xff"])
    def test_an_unknown_schema_version_is_refused_before_anything_else(self, version: bytes) -> None:
        for fields in ({}, _raw(SIGNAL.encode()), {b"unknown": b"field"}):
            with pytest.raises(InvalidInputError, match="upgrade server-b first") as caught:
                Signal.decode(fields | {b"schema_version": version})
            assert caught.value.where == "signal schema_version"

    @pytest.mark.parametrize(
        ("name", "most"),
        [("segments", MAX_SEGMENTS), ("segment", SIGNAL.segments), ("count", MAX_SEGMENT_VALUES)],
    )
    def test_bounds(self, name: str, most: int) -> None:
        at_most = replace(SIGNAL, **{name: most})  # type: ignore[arg-type]
        assert Signal.decode(_raw(at_most.encode())) == at_most
        over = replace(SIGNAL, **{name: most + 1})  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError) as caught:
            Signal.decode(_raw(over.encode()))
        assert (caught.value.where, caught.value.expected) == (f"signal {name}", f"1 to {most}")

    @given(st.dictionaries(st.sampled_from(SIGNAL_FIELDS).map(str.encode) | st.binary(), st.binary()))
    def test_whatever_stands_in_an_entry_is_read_or_refused(self, fields: dict[bytes, bytes]) -> None:
        with pytest.raises(InvalidInputError):
            Signal.decode(fields)
        try:
            signal = Signal.decode(_raw(SIGNAL.encode()) | fields)
        except InvalidInputError:
            return
        assert Signal.decode(_raw(signal.encode())) == signal


class TestSegmentState:
    STATE = SegmentState(RUN_ID, ATTEMPT, 10_000, DIGEST)

    @staticmethod
    def _decode(fields: dict[str, str]) -> SegmentState | None:
        values = _raw(fields)
        return SegmentState.decode("{biglist}:state", [values.get(name.encode()) for name in SegmentState.FIELDS])

    def test_fields_are_those_of_the_design(self) -> None:
        assert SegmentState.FIELDS == ("run_id", "attempt", "count", "digest")
        assert self.STATE.encode() == {"run_id": RUN_ID, "attempt": ATTEMPT, "count": "10000", "digest": DIGEST}

    @given(tokens, tokens, st.integers(1, MAX_SEGMENT_VALUES), digests)
    def test_round_trip(self, run_id: str, attempt: str, count: int, digest: str) -> None:
        state = SegmentState(run_id, attempt, count, digest)
        assert self._decode(state.encode()) == state

    def test_a_retired_segment_has_no_values_and_no_digest(self) -> None:
        retired = SegmentState(RUN_ID, ATTEMPT, 0, "")
        assert self._decode(retired.encode()) == retired

    def test_no_hash_is_no_state(self) -> None:
        assert self._decode({}) is None

    @pytest.mark.parametrize("name", SegmentState.FIELDS)
    def test_a_hash_without_one_of_the_fields_is_somebody_elses(self, name: str) -> None:
        fields = self.STATE.encode()
        del fields[name]
        with pytest.raises(WrongKeyError) as caught:
            self._decode(fields)
        assert caught.value.where == f"{{biglist}}:state {name}"

    @pytest.mark.parametrize(
        ("position", "value"),
        [(position, value) for position in (0, 1) for value in NO_TOKENS]
        + [(2, value) for value in NO_NUMBERS if value != b"0"]
        + [(3, value) for value in NO_DIGESTS],
    )
    def test_a_malformed_field_makes_it_somebody_elses(self, position: int, value: bytes) -> None:
        values: list[bytes | None] = [text.encode() for text in self.STATE.encode().values()]
        values[position] = value
        with pytest.raises(WrongKeyError):
            SegmentState.decode("{biglist}:state", values)


class TestRunRecord:
    def test_fields(self) -> None:
        assert RECORD.encode() == {
            "schema_version": "1",
            "run_id": RUN_ID,
            "source": "numbers",
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

    @given(
        tokens,
        st.sampled_from(["numbers", "values"]),
        st.integers(1, MAX_COUNT),
        st.integers(1, MAX_SEGMENT_VALUES),
        st.lists(st.integers(0, 10**8), min_size=6, max_size=6),
    )
    def test_round_trip(self, run_id: str, source: str, count: int, segment_values: int, others: list[int]) -> None:
        numbers: dict[str, Any] = dict(zip(RunRecord.NUMBERS, (count, segment_values, *others), strict=True))
        record = RunRecord(run_id, source, **numbers)
        assert RunRecord.decode("run:x", _raw(record.encode())) == record

    def test_fields_that_say_how_far_it_is_do_not_matter(self) -> None:
        more = {b"published": b"1", b"finished_ms": b"0", b"signal:1": b"1-0", b"chunk_values:1": b"4", b"new": b"\xff"}
        assert RunRecord.decode("run:x", _raw(RECORD.encode()) | more) == RECORD

    @given(st.text(max_size=200))
    def test_the_command_is_kept_as_it_was_typed(self, command: str) -> None:
        record = replace(RECORD, command=command)
        assert RunRecord.decode("run:x", _raw(record.encode())) == record

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
        fields = _raw(RECORD.encode())
        del fields[b"command"]
        record = RunRecord.decode("run:x", fields if raw is None else fields | {b"command": raw})
        assert record == replace(RECORD, command=command)

    @pytest.mark.parametrize("name", [name for name in RECORD.encode() if name != "command"])
    def test_a_missing_field_is_refused_by_its_name(self, name: str) -> None:
        fields = _raw(RECORD.encode())
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
        + [("source", value) for value in (b"", b"Numbers", b"lines", b"\xff")]
        + [("schema_version", value) for value in (b"", b"0", b"2", b"99")],
    )
    def test_a_malformed_field_is_refused_by_its_name(self, name: str, value: bytes) -> None:
        with pytest.raises(InvalidInputError) as caught:
            RunRecord.decode("run:x", _raw(RECORD.encode()) | {name.encode(): value})
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


def test_the_names_of_the_design_are_written_in_the_code_once() -> None:
    assert all(re.fullmatch(r"[a-z_]+", name) for name in SIGNAL_FIELDS)
    assert len(set(SIGNAL_FIELDS)) == len(SIGNAL_FIELDS)
