"""Which of two runs in one namespace stands: the newer one.

`biglist` is segment 1 of every run and is published before any other, so its state names the newest run that has
published. A key that names the newest run was rejected: it would have to be watched from another slot.
"""

from __future__ import annotations

from server_a.run.context import RunContext
from server_a.run.publish import retire
from server_a.run.states import read_state, states_upward
from shared.errors import SupersededError
from shared.state import SegmentState


def require_newest(run: RunContext) -> None:
    """Check that no newer run has published.

    Raises:
        SupersededError: One has.

    Redis:
        HMGET; O(1).
    """
    newer = _newer_state(run)
    if newer is not None:
        where = f"run {run.record.run_id}"
        raise SupersededError(where=where, expected="no newer run in this namespace", got=f"run {newer.run_id}")


def withdraw(run: RunContext) -> None:
    """Remove every segment of a superseded run, as the newer one would have, had it been there by then.

    Redis:
        HMGET of the states; what `retire` costs for each segment.
    """
    newer = _newer_state(run)
    if newer is None:
        return
    states = run.retry.keep_trying(lambda: list(states_upward(run.endpoint, run.keys, after=1)))
    for number, state in reversed(states):
        if state.run_id == run.record.run_id and state.count:
            key = run.keys.segment(number)
            run.retry.keep_trying(retire, run.endpoint, run.keys, key, by=newer, retain_ms=run.record.retain_ms)


def _newer_state(run: RunContext) -> SegmentState | None:
    """Return the state of `biglist` if it is a newer run's."""
    state = run.retry.keep_trying(read_state, run.endpoint, run.keys, run.keys.segment(1))
    return state if state is not None and state.run_id > run.record.run_id else None
