"""How many of a run's first values, the newest ones, may lie in a segment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server_b.segment.chunks import chunk_size
from server_b.segment.look import MAX_KEPT_BYTES, SegmentLook
from shared.record import RunRecord
from shared.segments import MAX_VALUE_BYTES, segments_of
from shared.signal import Signal

RUN_ID = "20261122T205801123Z-3f9a1c"


def _look(count: int, segment_values: int, *, max_value_bytes: int = 5) -> SegmentLook:
    record = RunRecord(RUN_ID, "numbers", count, segment_values, max_value_bytes, 1, 2, 1, 1, 1)
    return SegmentLook(0, None, record, chunk_size(None, None))


def _kept(look: SegmentLook, count: int, segment_values: int, keep: int) -> list[int]:
    """Return the numbers that the segments of a run of 1, 2, … keep together, those of the newest segment first."""
    segments = segments_of(count, segment_values)
    kept: list[int] = []
    for number in range(segments, 0, -1):
        newest = range(min(count, number * segment_values), (number - 1) * segment_values, -1)
        kept += newest[: look.kept_values(_signal(number, segments), keep)]
    return kept


def _signal(segment: int, segments: int) -> Signal:
    return Signal(RUN_ID, RUN_ID, segment, segments, 1, "0" * 32)


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 400))
def test_the_segments_keep_together_the_runs_first_values(count: int, segment_values: int, keep: int) -> None:
    kept = _kept(_look(count, segment_values), count, segment_values, keep)
    assert kept == list(range(count, max(0, count - keep), -1))


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 400), st.integers(0, MAX_VALUE_BYTES))
def test_large_values_are_fewer_and_leave_no_gap(count: int, segment_values: int, keep: int, longest: int) -> None:
    look = _look(count, segment_values, max_value_bytes=longest)
    kept = _kept(look, count, segment_values, keep)
    assert kept == list(range(count, count - len(kept), -1))
    assert len(kept) == 1 or len(kept) * longest <= MAX_KEPT_BYTES
    assert len(kept) == min(keep, count) or (len(kept) + 1) * longest > MAX_KEPT_BYTES


def test_without_a_record_each_segment_may_hold_them_and_they_may_be_large() -> None:
    look = SegmentLook(0, None, None, chunk_size(None, None))
    assert [look.kept_values(_signal(1, 3), keep) for keep in (0, 10, 100)] == [0, 10, 16]
