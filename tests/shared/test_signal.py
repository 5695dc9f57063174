"""Signals: what is written can be read, and nothing else can."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS
from shared.signal import OPTIONAL_SIGNAL_FIELDS, SIGNAL_FIELDS, Signal
from tests.stage.field_values import (
    ATTEMPT,
    DIGEST,
    NO_DIGESTS,
    NO_NUMBERS,
    NO_TOKENS,
    RUN_ID,
    digests,
    raw_fields,
    tokens,
)

SIGNAL = Signal(RUN_ID, ATTEMPT, 2, 3, 1_000_000, DIGEST)

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
        assert Signal.decode(raw_fields(signal.encode())) == signal

    def test_a_traceparent_may_come_along(self) -> None:
        trace = {b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        assert Signal.decode(raw_fields(SIGNAL.encode()) | trace) == SIGNAL

    def test_a_traceparent_is_sent_if_there_is_one_and_says_nothing_of_the_segment(self) -> None:
        traced = replace(SIGNAL, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03")
        assert list(traced.encode()) == [*SIGNAL_FIELDS, "traceparent"]
        assert Signal.decode(raw_fields(traced.encode())).traceparent == traced.traceparent
        assert (traced, hash(traced)) == (SIGNAL, hash(SIGNAL))

    @pytest.mark.parametrize(
        "raw",
        [
            b"", b"0" * 55, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", b"\xff" * 55,
            b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
            b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + b"x" * 1_000_000,
        ],
    )  # fmt: skip
    def test_a_malformed_traceparent_is_refused(self, raw: bytes) -> None:
        with pytest.raises(InvalidInputError) as caught:
            Signal.decode(raw_fields(SIGNAL.encode()) | {b"traceparent": raw})
        assert caught.value.where == "signal traceparent"
        assert len(str(caught.value)) < 400

    @pytest.mark.parametrize("name", SIGNAL_FIELDS)
    def test_a_missing_field_is_refused_by_its_name(self, name: str) -> None:
        fields = raw_fields(SIGNAL.encode())
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
            Signal.decode(raw_fields(SIGNAL.encode()) | {name.encode(): value})
        assert caught.value.where == f"signal {name}"
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize("name", [b"", b"extra", b"Count", b"count ", b"\xff", b"x" * 10_000])
    def test_an_unknown_field_is_refused(self, name: bytes) -> None:
        with pytest.raises(InvalidInputError, match="only the fields of schema 1") as caught:
            Signal.decode(raw_fields(SIGNAL.encode()) | {name: b"1"})
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("version", [b"0", b"2", b"99", b"", b"01", b"1.0", b" 1", b"one", b"\xff"])
    def test_an_unknown_schema_version_is_refused_before_anything_else(self, version: bytes) -> None:
        for fields in ({}, raw_fields(SIGNAL.encode()), {b"unknown": b"field"}):
            with pytest.raises(InvalidInputError, match="upgrade server-b first") as caught:
                Signal.decode(fields | {b"schema_version": version})
            assert caught.value.where == "signal schema_version"

    @pytest.mark.parametrize(
        ("name", "most"),
        [("segments", MAX_SEGMENTS), ("segment", SIGNAL.segments), ("count", MAX_SEGMENT_VALUES)],
    )
    def test_bounds(self, name: str, most: int) -> None:
        at_most = replace(SIGNAL, **{name: most})  # type: ignore[arg-type]
        assert Signal.decode(raw_fields(at_most.encode())) == at_most
        over = replace(SIGNAL, **{name: most + 1})  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError) as caught:
            Signal.decode(raw_fields(over.encode()))
        assert (caught.value.where, caught.value.expected) == (f"signal {name}", f"1 to {most}")

    @given(st.dictionaries(st.sampled_from(SIGNAL_FIELDS).map(str.encode) | st.binary(), st.binary()))
    def test_whatever_stands_in_an_entry_is_read_or_refused(self, fields: dict[bytes, bytes]) -> None:
        with pytest.raises(InvalidInputError):
            Signal.decode(fields)
        try:
            signal = Signal.decode(raw_fields(SIGNAL.encode()) | fields)
        except InvalidInputError:
            return
        assert Signal.decode(raw_fields(signal.encode())) == signal


def test_the_names_of_the_design_are_written_in_the_code_once() -> None:
    assert all(re.fullmatch(r"[a-z_]+", name) for name in SIGNAL_FIELDS)
    assert len(set(SIGNAL_FIELDS)) == len(SIGNAL_FIELDS)
