"""What a resumed run keeps of what it had published before it was stopped."""

from __future__ import annotations

from collections.abc import Mapping

from server_a.run.context import RunContext
from server_a.run.states import read_state
from shared.digest import SegmentDigest
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.errors import InvalidInputError, SupersededError
from shared.keys import Keyspace
from shared.record import SOURCE_VALUES
from shared.state import SegmentState


def published_before(run: RunContext, number: int) -> SegmentState | None:
    """Return the state of a segment if it is this run's, whether or not its list is whole.

    Raises:
        SupersededError: A newer run has published there.

    Redis:
        HMGET; O(1).
    """
    key = run.keys.segment(number)
    state = run.retry.keep_trying(read_state, run.endpoint, run.keys, key)
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
    key = run.keys.segment(number)
    if not state.count or run.retry.keep_trying(lambda: run.endpoint.at(key).llen(key)) != state.count:
        return False
    if run.record.source == SOURCE_VALUES and _digest_of(run, number) != state.digest:
        raise InvalidInputError(
            where="--values", expected="the file this run began with", got=f"other lines in segment {number}"
        )
    return True


def remove_staging(endpoint: Endpoint, keys: Keyspace, attempts: Mapping[int, str]) -> None:
    """Remove what attempts have written that were under way when the run was stopped: else it takes room for an hour.

    Args:
        endpoint: Where.
        keys: The namespace.
        attempts: Their tokens, by segment.

    Redis:
        UNLINK for each; O(1).
    """
    staging = [keys.staging(keys.segment(number), attempt) for number, attempt in attempts.items()]
    for _ in ask_each(endpoint, staging, lambda pipeline, key: pipeline.unlink(key)):
        pass


def _digest_of(run: RunContext, number: int) -> str:
    digest = SegmentDigest()
    for batch in run.source.batches(run.segment_range(number)):
        run.check_stop()
        digest.add(batch.joined, batch.values)
    return digest.hexdigest()
