"""The state of a segment: what is written can be read, and nothing else can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import WrongKeyError
from shared.segments import MAX_SEGMENT_VALUES
from shared.state import SegmentState
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


class TestSegmentState:
    STATE = SegmentState(RUN_ID, ATTEMPT, 10_000, DIGEST)

    @staticmethod
    def _decode(fields: dict[str, str]) -> SegmentState | None:
        values = raw_fields(fields)
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
