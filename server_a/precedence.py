"""Which of two runs in one namespace stands: the newer one, also where they share no segment's name.

Runs of one segment and runs of several have different names, so publishing alone does not tell an older run that it has
been overtaken. Its first segment's names are looked at before it writes and after it has published; a key that names
the newest run was rejected, since it would have to be watched from another slot.
"""

from __future__ import annotations

from collections.abc import Iterable

from server_a.publisher import read_state, retire
from server_a.run_context import RunContext
from shared.errors import SupersededError
from shared.run_signal import SegmentState
from shared.segments import MAX_SEGMENTS


def require_newest(run: RunContext) -> None:
    """Check that no newer run has published.

    Raises:
        SupersededError: One has.

    Redis:
        HMGET of two states; O(1).
    """
    newer = _newer_state(run)
    if newer is not None:
        where = f"run {run.record.run_id}"
        raise SupersededError(where=where, expected="no newer run in this namespace", got=f"run {newer.run_id}")


def withdraw(run: RunContext, published: Iterable[int]) -> None:
    """Remove what a superseded run has published, as the newer one would have, had it been there by then.

    Args:
        run: The superseded run; what replaced it already stays.
        published: Numbers of the segments it has published.

    Redis:
        HMGET of two states; what `retire` costs for each segment.
    """
    newer = _newer_state(run)
    if newer is None:
        return
    for number in sorted(published, reverse=True):
        key = run.segment_key(number)
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
    """Return the state of a newer run's first segment, if there is any."""
    for key in (run.keys.segment(1, 1), run.keys.segment(1, MAX_SEGMENTS)):
        state = run.wires.patience.keep_trying(lambda key=key: read_state(run.wires.of(key), run.keys, key))  # type: ignore[misc]
        if state is not None and state.run_id > run.record.run_id:
            return state
    return None
