"""The judgement of `status` on whatever may be found: no false all-clear, and no silence about anything else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.signal import Signal
from shared.state import SegmentState
from shared.status.facts import GroupStatus, RunStatus, SegmentFacts
from shared.verdict import FAILED, SUPERSEDED, VERIFIED
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN
from tests.stage.status_facts import (
    AFTER,
    ATTEMPTS,
    BEFORE,
    FINISHED,
    OTHER_DIGEST,
    RUNNING,
    STATE,
    VERDICT,
    status_of,
    verdict_on,
)

STATES = st.none() | st.builds(
    SegmentState,
    st.sampled_from([OLDER, RUN, NEWER]),
    st.sampled_from(ATTEMPTS),
    st.sampled_from([0, 9, 10]),
    st.sampled_from([DIGEST, OTHER_DIGEST]),
)
VERDICTS = st.none() | st.builds(
    verdict_on,
    st.sampled_from([VERIFIED, FAILED, SUPERSEDED]),
    st.sampled_from(ATTEMPTS),
    st.sampled_from([DIGEST, OTHER_DIGEST]),
)
SIGNALS = st.none() | st.builds(
    Signal,
    st.sampled_from([OLDER, RUN]),
    st.sampled_from(ATTEMPTS),
    st.just(1),
    st.just(1),
    st.just(10),
    st.just(DIGEST),
)


@given(
    st.builds(
        SegmentFacts,
        st.just(1),
        st.just("biglist"),
        STATES,
        st.sampled_from([0, 9, 10]),
        VERDICTS,
        st.sampled_from(["", BEFORE, AFTER]),
        st.booleans(),
        SIGNALS,
    ),
    st.sampled_from([RUNNING, FINISHED]),
    st.builds(GroupStatus, is_there=st.booleans(), pending=st.sampled_from([0, 1])),
)
def test_zero_means_verified_as_published_and_anything_else_says_why(
    segment: SegmentFacts, run: RunStatus, group: GroupStatus
) -> None:
    status = status_of([segment], run, group)
    said = status.problems + status.under_way
    assert (status.exit_code == 0) == (said == [])
    if status.exit_code == 0:
        assert run.is_finished
        assert segment.length
        assert segment.state is not None
        # whichever attempt and content are published, the verdict is on just these
        attempt, digest = segment.state.attempt, segment.state.digest
        assert segment.verdict == replace(VERDICT, attempt=attempt, digest=digest)
        assert segment.state == replace(STATE, count=segment.length, attempt=attempt, digest=digest)
    for sentence in said:
        assert RUN in sentence or NEWER in sentence or "signals" in sentence
