"""Which of two runs in one namespace stands: the newer one.

`biglist` is segment 1 of every run and is published before any other, so its state names the newest run that has
published. A key that names the newest run was rejected: it would have to be watched from another slot.
"""

from __future__ import annotations

from server_a.publisher import read_state, retire
from server_a.run_context import RunContext
from server_a.run_record import states_upward
from shared.errors import SupersededError
from shared.run_signal import SegmentState


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
    states = run.wires.patience.keep_trying(lambda: list(states_upward(run.endpoint, run.keys, after=1)))
    for key, state in reversed(states):
        if state is not None and state.run_id == run.record.run_id and state.count:
            run.wires.patience.keep_trying(
                lambda key=key: retire(  # type: ignore[misc]
                    run.wires.of(key),
                    run.keys,
                    key,
                    run_id=newer.run_id,
                    attempt=newer.attempt,
                    retain_ms=run.record.retain_ms,
                )
            )


def _newer_state(run: RunContext) -> SegmentState | None:
    """Return the state of `biglist` if it is a newer run's."""
    key = run.segment_key(1)
    state = run.wires.patience.keep_trying(lambda: read_state(run.wires.of(key), run.keys, key))
    return state if state is not None and state.run_id > run.record.run_id else None
