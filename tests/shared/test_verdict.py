"""Verdicts: of a segment as JSON, and of a run from its segments'."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.record import RunRecord
from shared.segments import MAX_SEGMENT_VALUES, MAX_SEGMENTS
from shared.signal import Signal
from shared.state import SegmentState
from shared.verdict import (
    FAILED,
    SUPERSEDED,
    VERIFIED,
    SegmentVerdict,
    decode_result,
    is_complete,
    run_reason,
    run_verdict,
    run_witness,
)
from shared.witness import Witness

ATTEMPT = "20261122T205801124Z-0a1b2c"
VERDICT = SegmentVerdict(VERIFIED, ATTEMPT, 1, 3, 1_000, "97630108292763d6b16b693f7e36d0aa")
CHANGED = Witness("changed", 1, 7, "7", "8 \x1b", missing=1, doubled=0, foreign=1, out_of_order=0, block=1, blocks=1)
WITNESS = CHANGED.as_json()


def _verdicts(*verdicts: str, segments: int | None = None) -> dict[int, SegmentVerdict]:
    """Return verdicts of segments 1 upward; those that did not verify say why."""
    return {
        number: replace(
            VERDICT,
            verdict=verdict,
            segment=number,
            segments=segments or len(verdicts),
            reason="" if verdict == VERIFIED else f"reason {number}",
        )
        for number, verdict in enumerate(verdicts, start=1)
    }


@given(
    st.sampled_from([VERIFIED, FAILED, SUPERSEDED]),
    st.text(),
    st.lists(st.text()),
    st.none() | st.text(),
    st.lists(st.integers(0, 2**63), min_size=3, max_size=3),
)
def test_round_trip(verdict: str, reason: str, first: list[str], last: str | None, numbers: list[int]) -> None:
    lag_ms, *moments = numbers
    started_us, ended_us = sorted(moments)
    written = replace(
        VERDICT,
        verdict=verdict,
        reason=reason,
        first=first,
        last=last,
        lag_ms=lag_ms,
        started_us=started_us,
        ended_us=ended_us,
        consumer=reason,
    )
    encoded = written.encode()
    assert encoded.isascii()
    assert "\n" not in encoded
    assert SegmentVerdict.decode(encoded.encode()) == written


@given(st.sampled_from([CHANGED, Witness("never_arrived", 1), Witness("long", 1, 2**53, found="\\xff" * 200)]))
def test_a_witness_is_kept_with_its_verdict(witness: Witness) -> None:
    written = replace(VERDICT, verdict=FAILED, witness=witness)
    assert SegmentVerdict.decode(written.encode().encode()) == written
    verdicts = {1: VERDICT, 2: replace(VERDICT, segment=2, verdict=FAILED), 3: replace(written, segment=3)}
    assert run_witness({3: verdicts[3], 1: verdicts[1]}) == witness
    assert run_witness(verdicts) is None
    assert run_witness({1: VERDICT}) is None


def test_a_witness_is_a_sentence_that_controls_no_terminal() -> None:
    text = (
        "segment 1: changed; position 7 is the first that is wrong, '7' expected, '8 \\x1b' found; 1 missing, 1 foreign"
    )
    assert CHANGED.as_text() == f"{text}; 1 of its blocks of 1,000 values differs, the first is 1"
    assert Witness("never_arrived", 2).as_text() == "segment 2: never arrived"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"1",
        b'"verified"',
        b"verified",
        b"\xff",
        b'{"verdict": "verified"}',
        json.dumps({**json.loads(VERDICT.encode()), "unknown": 1}).encode(),
        VERDICT.encode().encode()[:-1],
        b"[" * 100_000,
        b"9" * 5_000,
    ],
)
def test_what_is_no_verdict_is_none(raw: bytes) -> None:
    assert SegmentVerdict.decode(raw) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "excellent"),
        ("verdict", None),
        ("attempt", 1),
        ("segment", "1"),
        ("segment", None),
        ("segments", "3"),
        ("count", []),
        ("first", None),
        ("first", [1]),
        ("lag_ms", "1"),
        ("attempt", ""),
        ("attempt", "zzz"),
        ("segment", 0),
        ("segment", 4),
        ("segment", True),
        ("segments", 0),
        ("segments", -3),
        ("segments", MAX_SEGMENTS + 1),
        ("count", 0),
        ("count", MAX_SEGMENT_VALUES + 1),
        ("digest", ""),
        ("digest", "zz" * 16),
        ("digest", "97630108292763D6B16B693F7E36D0AA"),
        ("digest", "97630108292763d6b16b693f7e36d0a"),
        ("lag_ms", -1),
        ("ended_us", 10**30),
        ("reason", "\ud800"),
        ("first", ["\ud800"]),
        ("last", "\udfff"),
        ("witness", {}),
        ("witness", []),
        ("witness", {**WITNESS, "kind": "odd"}),
        ("witness", {**WITNESS, "segment": 2}),
        ("witness", {**WITNESS, "segment": True}),
        ("witness", {**WITNESS, "position": -1}),
        ("witness", {**WITNESS, "missing": 1.0}),
        ("witness", {**WITNESS, "blocks": 10**30}),
        ("witness", {**WITNESS, "found": 5}),
        ("witness", {**WITNESS, "found": "\ud800"}),
        ("witness", {**WITNESS, "expected": "x" * 1_001}),
        ("witness", {**WITNESS, "more": None}),
        ("witness", {name: value for name, value in WITNESS.items() if name != "block"}),
    ],
)
def test_a_verdict_with_a_field_that_we_never_write_is_none_of_ours(name: str, value: object) -> None:
    raw = json.dumps({**json.loads(VERDICT.encode()), name: value}).encode()
    assert SegmentVerdict.decode(raw) is None


def test_a_result_is_read_by_segment() -> None:
    verdicts = _verdicts(VERIFIED, FAILED)
    fields = {str(number).encode(): verdict.encode().encode() for number, verdict in verdicts.items()}
    assert decode_result({**fields, b"x": b"y", b"9": b"{}"}) == verdicts
    assert decode_result({}) == {}


OTHERS = [{"count": 999}, {"segments": 4}, {"digest": VERDICT.digest[::-1]}, {"count": 1, "segments": 2}]
KINDS = (VERIFIED, FAILED, SUPERSEDED)
LATER, EARLIER = (f"2026112{day}T205801124Z-0a1b2c" for day in (3, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_verdict_settles_what_its_signal_said_and_earlier_attempts(kind: str, other: dict[str, Any]) -> None:
    verdict = replace(VERDICT, verdict=kind)
    signal = Signal("r", ATTEMPT, 1, VERDICT.segments, VERDICT.count, VERDICT.digest)
    assert verdict.settles(signal)
    assert not verdict.settles(replace(signal, **other))
    assert verdict.settles(replace(signal, attempt=EARLIER, **other))
    assert not verdict.settles(replace(signal, attempt=LATER))


@pytest.mark.parametrize(("kind", "standing"), list(product(KINDS, KINDS)))
@pytest.mark.parametrize("other", [{}, *OTHERS])
def test_a_later_attempt_replaces_an_earlier_one_whatever_it_said(
    kind: str, standing: str, other: dict[str, Any]
) -> None:
    found, later = replace(VERDICT, verdict=standing), replace(VERDICT, verdict=kind, attempt=LATER, **other)
    for state in (None, SegmentState("r", ATTEMPT, VERDICT.count, VERDICT.digest)):
        assert later.replaces(found, state, None)
        assert not found.replaces(later, state, None)
        assert not replace(found, verdict=kind).replaces(found, state, None)  # on the same signal the first one stands


@pytest.mark.parametrize(("kind", "standing"), list(product(KINDS, KINDS)))
@pytest.mark.parametrize("other", [{"count": 999}, {"digest": VERDICT.digest[::-1]}])
def test_of_two_on_one_attempt_what_is_published_counts(kind: str, standing: str, other: dict[str, Any]) -> None:
    published, damaged = replace(VERDICT, verdict=standing), replace(VERDICT, verdict=kind, **other)
    state = SegmentState("r", ATTEMPT, VERDICT.count, VERDICT.digest)
    assert published.replaces(damaged, state, None)
    assert not damaged.replaces(published, state, None)
    for unknown in (None, replace(state, attempt=LATER), replace(state, count=1)):
        assert published.replaces(damaged, unknown, None) is (standing == VERIFIED)


@pytest.mark.parametrize(("kind", "standing"), list(product(KINDS, KINDS)))
@pytest.mark.parametrize("other", [{"segments": 2}, {"segments": 4}, {"count": 999}])
def test_a_verdict_that_the_record_contradicts_gives_way(kind: str, standing: str, other: dict[str, Any]) -> None:
    record = RunRecord("r", "numbers", 3_000, 1_000, 4, 0, 0, 0, 0, 1_000)
    found, verdict = replace(VERDICT, verdict=standing, **other), replace(VERDICT, verdict=kind)
    assert verdict.replaces(found, None, record)
    if "count" not in other:
        assert verdict.replaces(found, None, None) is (kind == VERIFIED != standing)


@pytest.mark.parametrize("name", [b"2", b"01", b"1 ", b"", b"\xff"])
def test_a_verdict_under_the_name_of_another_segment_is_none_of_ours(name: bytes) -> None:
    assert decode_result({name: VERDICT.encode().encode()}) == {}


@pytest.mark.parametrize(
    ("verdicts", "segments", "expected"),
    [((), 1, False), ((VERIFIED,), 1, True), ((VERIFIED,), 2, False), ((VERIFIED, FAILED), 2, True)],
)
def test_a_run_is_complete_with_a_verdict_on_every_segment(
    *, verdicts: tuple[str, ...], segments: int, expected: bool
) -> None:
    assert is_complete(_verdicts(*verdicts, segments=segments)) is expected


@pytest.mark.parametrize("others", [1, 2, 3, 9])
def test_verdicts_that_disagree_on_how_many_segments_there_are_make_no_run_complete(others: int) -> None:
    verdicts = _verdicts(VERIFIED, VERIFIED, VERIFIED)
    for number in (1, 3):
        other = {number: replace(verdicts[number], segments=others)}
        assert is_complete({**verdicts, **other}) is (others == 3)
    assert not is_complete({1: replace(VERDICT, segments=1), 2: replace(VERDICT, segment=2, segments=2)})


@pytest.mark.parametrize("found", list(product([VERIFIED, FAILED, SUPERSEDED], repeat=3)))
def test_failed_beats_superseded_beats_verified(found: tuple[str, ...]) -> None:
    verdicts = _verdicts(*found)
    expected = FAILED if FAILED in found else SUPERSEDED if SUPERSEDED in found else VERIFIED
    assert run_verdict(verdicts) == expected
    number = found.index(expected) + 1
    assert run_reason(verdicts) == ("" if expected == VERIFIED else f"segment {number}: reason {number}")


def test_the_order_in_which_verdicts_came_does_not_matter() -> None:
    verdicts = _verdicts(VERIFIED, FAILED, FAILED)
    assert run_reason(dict(reversed(verdicts.items()))) == "segment 2: reason 2"


@pytest.mark.parametrize("size", [0, 1, 199, 200, 201, 830, 1_000, 1_001, 10_000, 2**20])
@pytest.mark.parametrize("character", ["x", "é", "😀", "\\xff"])
def test_a_verdict_that_holds_long_texts_is_cut_when_it_is_read(size: int, character: str) -> None:
    """As an older version, or somebody else, may have recorded it."""
    text = character * (size // len(character.encode()))
    long = replace(VERDICT, first=[text] * 3, last=text, reason=text, claimed_from=text)
    found = SegmentVerdict.decode(long.encode().encode())
    assert found is not None
    shown = [*found.first, found.last or "", found.reason, found.claimed_from]
    assert all(len(each.encode()) <= 1_030 for each in shown)
    if size <= 200:
        assert found == long
