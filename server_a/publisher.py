"""Publishing a written segment under its name, and retiring a name that no run uses any more.

Both are optimistic transactions: WATCH what the decision rests on, look, then MULTI … EXEC. EXEC rolls nothing back, so
everything that could fail inside it is looked at first, under the watch. A script was rejected: it would have to carry
the same checks, and managed services may refuse one.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError, NotFinishedError, SupersededError, WrongKeyError
from shared.keys import Keyspace
from shared.run_signal import SegmentState

_TRIES = 100


@dataclass(frozen=True)
class Publication:
    """A segment that is ready to be seen: its name, the key it was written to, and the state it will have."""

    segment_key: str
    staging_key: str
    state: SegmentState


def read_state(wire: Wire, keys: Keyspace, segment_key: str) -> SegmentState | None:
    """Return what is published under a segment's name.

    Redis:
        HMGET; O(1).
    """
    state_key = keys.state(segment_key)
    return SegmentState.decode(state_key, wire.call("HMGET", state_key, *SegmentState.FIELDS))


def publish(wire: Wire, keys: Keyspace, publication: Publication, *, overwrite: bool) -> None:
    """Make a complete segment visible under its name, all of it at once.

    Raises:
        ConnectionLostError: The reply was lost, or the staging key is not whole; look whether it happened.
        SupersededError: A newer run, or a newer attempt of this one, has published there.
        WrongKeyError: The name holds a list that is not ours.

    Redis:
        WATCH, HMGET, LLEN, EXISTS, then MULTI UNLINK RENAME PERSIST UNLINK HSET EXEC; O(1), the old list is
        freed in the background.
    """
    segment_key, staging_key, state = publication.segment_key, publication.staging_key, publication.state
    state_key = keys.state(segment_key)
    for _ in range(_TRIES):
        wire.call("WATCH", staging_key, state_key, segment_key)
        _require_ours(wire, keys, publication, overwrite=overwrite)
        length = wire.call("LLEN", staging_key)
        if length != state.count:
            wire.call("UNWATCH")
            raise ConnectionLostError(
                where=staging_key, expected=f"{state.count} values", got=f"{length}", answered=True
            )
        encoded = [part for pair in state.encode().items() for part in pair]
        done = wire.transaction(
            ("UNLINK", segment_key),
            ("RENAME", staging_key, segment_key),
            ("PERSIST", segment_key),
            ("UNLINK", state_key),  # a retired state has a time to live
            ("HSET", state_key, *encoded),
        )
        if done is not None:
            return
    raise NotFinishedError(where=segment_key, expected="a moment without other writers", got=f"{_TRIES} conflicts")


def _require_ours(wire: Wire, keys: Keyspace, publication: Publication, *, overwrite: bool) -> None:
    """Check, under the watch, that this run may publish here."""
    segment_key, mine = publication.segment_key, publication.state
    now = read_state(wire, keys, segment_key)
    if now is not None and (now.run_id, now.attempt) > (mine.run_id, mine.attempt):
        wire.call("UNWATCH")
        raise SupersededError(
            where=segment_key, expected=f"nothing newer than run {mine.run_id}", got=f"run {now.run_id}"
        )
    if (now is None or now.count == 0) and not overwrite and wire.call("EXISTS", segment_key):
        wire.call("UNWATCH")
        raise foreign_list_error(segment_key)


def foreign_list_error(segment_key: str) -> WrongKeyError:
    """Return the error for a list that stands where ours should."""
    return WrongKeyError(
        where=segment_key,
        expected="no list, or one that server-a wrote",
        got="a key of somebody else's",
        advice="use --namespace to write beside it, or --overwrite to replace it",
    )


def is_published(wire: Wire, keys: Keyspace, publication: Publication) -> bool:
    """Tell whether a publication whose reply was lost has happened.

    Redis:
        HMGET, LLEN; O(1).
    """
    state = read_state(wire, keys, publication.segment_key)
    return state == publication.state and wire.call("LLEN", publication.segment_key) == publication.state.count


def retire(wire: Wire, keys: Keyspace, segment_key: str, *, run_id: str, attempt: str, retain_ms: int) -> bool:
    """Remove a segment that an older run left, and leave a state of count 0: old signals are superseded at once.

    Returns:
        Whether it was removed; it is left alone when a newer run has published there, or when it is not ours.

    Redis:
        WATCH, HMGET, then MULTI UNLINK HSET PEXPIRE EXEC; O(1).
    """
    state_key = keys.state(segment_key)
    retired = SegmentState(run_id, attempt, 0, "")
    for _ in range(_TRIES):
        wire.call("WATCH", state_key, segment_key)
        now = read_state(wire, keys, segment_key)
        if now is None or now.count == 0 or now.run_id >= run_id:
            wire.call("UNWATCH")
            return False
        encoded = [part for pair in retired.encode().items() for part in pair]
        if wire.transaction(("UNLINK", segment_key), ("HSET", state_key, *encoded), ("PEXPIRE", state_key, retain_ms)):
            return True
    return False
