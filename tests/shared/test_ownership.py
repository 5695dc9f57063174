"""What proves that a key is ours, whatever the schema version, and what does not."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import WrongKeyError
from shared.ownership import (
    is_canary,
    is_letter,
    is_record,
    is_result,
    is_signal,
    require_our_letters,
    require_our_signals,
)
from shared.signal import SIGNAL_FIELDS, Signal
from shared.verdict import SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, OLDER, RUN

SIGNAL = {name.encode(): value.encode() for name, value in Signal(OLDER, RUN, 1, 1, 10, DIGEST).encode().items()}
LETTER = {b"origin": b"1-1", b"reason": b"r", b"consumer": b"c"}
BYTES = st.binary(max_size=40)
FOREIGN = st.dictionaries(BYTES, BYTES, min_size=1, max_size=6)
NEEDED = (b"schema_version", b"run_id", b"segment")


@given(st.integers(1, 999_999_999), st.dictionaries(BYTES, BYTES), st.sets(st.sampled_from(SIGNAL_FIELDS)))
def test_signals_of_other_versions_are_ours(version: int, more: dict[bytes, bytes], left_out: set[str]) -> None:
    kept = {name: value for name, value in SIGNAL.items() if name in NEEDED or name.decode() not in left_out}
    assert is_signal({**more, **kept, b"schema_version": str(version).encode()})


@given(FOREIGN, st.sampled_from(NEEDED), BYTES)
def test_other_entries_are_not(fields: dict[bytes, bytes], name: bytes, value: bytes) -> None:
    assert not is_signal({key: found for key, found in fields.items() if key != name})
    assert not is_signal({**SIGNAL, name: b"!" + value})
    assert not is_signal(None)


@pytest.mark.parametrize("place", [*range(0, 200, 9), 99, 100, 199])
def test_one_signal_among_many_entries_makes_a_stream_ours(place: int) -> None:
    entries = [(b"%d-0" % number, {b"alarm": b"fire"}) for number in range(200)]
    with pytest.raises(WrongKeyError):
        require_our_signals("signals", entries, [])
    entries[place] = (b"9-9", SIGNAL)
    require_our_signals("signals", entries, [{"name": b"workers"}])


@given(FOREIGN)
def test_letters(fields: dict[bytes, bytes]) -> None:
    assert is_letter({**fields, **LETTER})
    assert not is_letter({name: value for name, value in fields.items() if name != b"origin"})
    require_our_letters("dead", [])
    with pytest.raises(WrongKeyError):
        require_our_letters("dead", [(b"1-0", {**LETTER, b"origin": b"none"})])


@given(st.integers(1, 100_000), st.dictionaries(st.text(max_size=9), st.integers(), max_size=3))
def test_results_of_other_versions_are_ours_and_others_are_not(segment: int, more: dict[str, int]) -> None:
    ours = json.loads(SegmentVerdict("verified", RUN, segment, segment, 10, DIGEST).encode())
    field = str(segment).encode()
    assert is_result({field: json.dumps({**more, **ours}).encode()})
    assert not is_result({field: json.dumps({**ours, "segment": segment + 1}).encode()})
    assert not is_result({field: json.dumps({**ours, "verdict": "theirs"}).encode()})
    assert not is_result({field: json.dumps(ours).encode(), b"colour": b"red"})
    assert not is_result({})


@given(BYTES)
def test_records_and_canaries(value: bytes) -> None:
    assert is_record(RUN, [b"1", RUN.encode()])
    assert not is_record(RUN, [b"1", value])
    assert not is_record(RUN, [b"v" + value, RUN.encode()])
    assert is_canary(1, RUN.encode())
    assert not is_canary(1, value)
    assert not is_canary(2, RUN.encode())
    assert not is_canary(random.choice([0, 3]), None)
