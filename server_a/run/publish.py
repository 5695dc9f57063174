"""Publishing a written segment under its name, and retiring a name that no run uses any more.

Both are optimistic transactions: WATCH what the decision rests on, look, then MULTI … EXEC. EXEC rolls nothing back, so
everything that could fail inside it is looked at first, under the watch. A script was rejected: it would have to carry
the same checks, and managed services may refuse one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.errors import SupersededError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.state import SegmentState

_FIELDS = list(SegmentState.FIELDS)


@dataclass(frozen=True)
class Publication:
    """A segment that is ready to be seen.

    Attributes:
        number: The segment.
        blocks: The raw digests of its blocks, one behind the other.
    """

    number: int
    segment_key: str
    staging_key: str
    state: SegmentState
    blocks: bytes


def publish(endpoint: Endpoint, keys: Keyspace, publication: Publication, *, overwrite: bool) -> None:
    """Make a complete segment visible under its name, all of it at once.

    Raises:
        OutcomeUnknownError: The reply was lost; look whether it happened.
        TransientError: The staging key is not whole, or the connection was lost before.
        SupersededError: A newer run, or a newer attempt of this one, has published there.
        WrongKeyError: The name holds a list that is not ours.

    Redis:
        WATCH; HMGET, LLEN, EXISTS in one round trip; MULTI UNLINK RENAME PERSIST UNLINK HSET EXEC. O(1), the old list
        is freed in the background.
    """
    segment_key, staging_key, state = publication.segment_key, publication.staging_key, publication.state
    state_key = keys.state(segment_key)
    client = endpoint.at(segment_key)
    fields: dict[Any, Any] = {**state.encode(), "blocks": publication.blocks}

    def attempt(pipeline: NodePipeline) -> None:
        look = client.pipeline(transaction=False)  # on a connection of its own, so that it takes one round trip
        look.hmget(state_key, _FIELDS)
        look.llen(staging_key)
        look.exists(segment_key)
        found, length, exists = look.execute()
        _require_ours(SegmentState.decode(state_key, found), publication, exists=bool(exists), overwrite=overwrite)
        if length != state.count:
            raise TransientError(where=staging_key, expected=f"{state.count} values", got=f"{length}", answered=True)
        pipeline.multi()
        pipeline.unlink(segment_key)
        pipeline.rename(staging_key, segment_key)
        pipeline.persist(segment_key)
        pipeline.unlink(state_key)  # a retired state has a time to live
        pipeline.hset(state_key, mapping=fields)
        pipeline.execute()

    optimistic(client, [staging_key, state_key, segment_key], attempt)


def _require_ours(now: SegmentState | None, publication: Publication, *, exists: bool, overwrite: bool) -> None:
    """Check, under the watch, that this run may publish here."""
    segment_key, mine = publication.segment_key, publication.state
    if now is not None and (now.run_id, now.attempt) > (mine.run_id, mine.attempt):
        raise SupersededError(
            where=segment_key, expected=f"nothing newer than run {mine.run_id}", got=f"run {now.run_id}"
        )
    if (now is None or now.count == 0) and exists and not overwrite:
        raise foreign_list_error(segment_key)


def foreign_list_error(segment_key: str) -> WrongKeyError:
    """Return the error for a list that stands where ours should."""
    return WrongKeyError(
        where=segment_key,
        expected="no list, or one that server-a wrote",
        got="a key of somebody else's",
        advice="use --namespace to write beside it, or --overwrite to replace it",
    )


def is_published(endpoint: Endpoint, keys: Keyspace, publication: Publication) -> bool:
    """Tell whether a publication whose reply was lost has happened.

    Redis:
        HMGET, LLEN; O(1).
    """
    state_key = keys.state(publication.segment_key)
    look = endpoint.at(state_key).pipeline(transaction=False)
    look.hmget(state_key, _FIELDS)
    look.llen(publication.segment_key)
    found, length = look.execute()
    return SegmentState.decode(state_key, found) == publication.state and length == publication.state.count


def retire(endpoint: Endpoint, keys: Keyspace, segment_key: str, *, by: SegmentState, retain_ms: int) -> bool:
    """Remove a segment that an older run left, and leave a state of count 0: old signals are superseded at once.

    Args:
        endpoint: Where.
        keys: The namespace.
        segment_key: The segment.
        by: A state of the newer run, which the one that stays will name.
        retain_ms: How long that stays.

    Returns:
        Whether it was removed; it is left alone when a newer run has published there, or when it is not ours.

    Redis:
        WATCH, HMGET, then MULTI UNLINK UNLINK HSET PEXPIRE EXEC; O(1).
    """
    state_key = keys.state(segment_key)
    fields: dict[Any, Any] = {**SegmentState(by.run_id, by.attempt, 0, "").encode()}

    def attempt(pipeline: NodePipeline) -> bool:
        now = SegmentState.decode(state_key, pipeline.hmget(state_key, _FIELDS))
        if now is None or now.count == 0 or now.run_id >= by.run_id:
            return False
        pipeline.multi()
        pipeline.unlink(segment_key)
        pipeline.unlink(state_key)  # its blocks go with it
        pipeline.hset(state_key, mapping=fields)
        pipeline.pexpire(state_key, retain_ms)
        pipeline.execute()
        return True

    return optimistic(endpoint.at(state_key), [state_key, segment_key], attempt)
