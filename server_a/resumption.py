"""What a resumed run keeps of what it had published before it was stopped."""

from __future__ import annotations

from server_a.publisher import read_state
from server_a.run_context import RunContext
from shared.digest import SegmentDigest
from shared.errors import InvalidInputError, SupersededError
from shared.run_signal import SOURCE_VALUES, SegmentState


def published_before(run: RunContext, number: int) -> SegmentState | None:
    """Return the state of a segment if it is this run's, whether or not its list is whole.

    Raises:
        SupersededError: A newer run has published there.

    Redis:
        HMGET; O(1).
    """
    key = run.segment_key(number)
    state = run.wires.patience.keep_trying(lambda: read_state(run.wires.of(key), run.keys, key))
    if state is not None and state.run_id > run.record.run_id:
        raise SupersededError(where=key, expected=f"run {run.record.run_id}", got=f"the newer run {state.run_id}")
    return state if state is not None and state.run_id == run.record.run_id else None


def is_whole(run: RunContext, number: int, state: SegmentState) -> bool:
    """Tell whether the list is there as long as its state says.

    Raises:
        InvalidInputError: Its digest is not that of the same lines of the file given now.

    Redis:
        LLEN; O(1).
    """
    if not state.count or run.wires.repeat("LLEN", run.segment_key(number)) != state.count:
        return False
    if run.record.source == SOURCE_VALUES and _digest_of(run, number) != state.digest:
        raise InvalidInputError(
            where="--values", expected="the file this run began with", got=f"other lines in segment {number}"
        )
    return True


def _digest_of(run: RunContext, number: int) -> str:
    digest = SegmentDigest()
    for batch in run.source.batches(run.segment_range(number)):
        run.check_stop()
        digest.add(batch.joined, batch.values)
    return digest.hexdigest()
