"""What a key has to hold so that it is removed; each kind of key has its own proof. Pure.

A unit is what is looked at, and removed, together. Its replies are raw, as `BatchConnection` returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.endpoint.batch_connection import Reply
from shared.endpoint.node_client import Command
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import RECORD_FIELDS, are_readings, is_canary, is_record, is_result
from shared.state import SegmentState
from shared.tokens import is_token, is_too_late

SAMPLE_FIELDS = 10  # of a result, or of readings, that are looked at


@dataclass(frozen=True)
class Unit:
    """One key, or a state with its list."""

    kind: str  # as `Keyspace.kind_of` says
    key: str
    look: tuple[Command, ...]
    proven: Callable[[Sequence[Reply]], list[str]]  # returns which keys to remove; none where they are not ours
    beside: tuple[str, ...] = ()  # further keys that the decision depends on, in the same slot
    # which keys of other slots must be records of ours too, each with its fields; `proven` gets those that are not
    others: Callable[[Sequence[Reply]], Mapping[str, Sequence[str]]] | None = None

    @property
    def watched(self) -> tuple[str, ...]:
        """All keys that the decision depends on."""
        return (self.key, *self.beside)


def unit_of(keys: Keyspace, key: str, *, server_ms: int) -> Unit | None:
    """Return the unit of a key that a scan for hashes found; None for one without our name, or of the shop.

    What is of a run that is far ahead of the server's clock, `server_ms`, is not ours.
    """
    kind = keys.kind_of(key) or ""
    run_id = key.removeprefix(keys.result("") if kind == "result" else keys.run(""))
    is_late = is_token(run_id) and is_too_late(run_id, server_ms)
    sample: Command = ("HSCAN", key, "0", "COUNT", SAMPLE_FIELDS)
    looks: dict[str, tuple[tuple[Command, ...], Callable[[Sequence[Reply]], bool]]] = {
        "run": ((("HMGET", key, *RECORD_FIELDS),), lambda replies: is_record(run_id, replies[0])),
        "result": ((sample,), lambda replies: is_result(pairs(replies[0][1]))),
        "reading": ((sample,), lambda replies: are_readings(pairs(replies[0][1]))),
        "canary": ((("HLEN", key), ("HMGET", key, "sent")), lambda replies: is_canary(replies[0], replies[1][0])),
    }
    if kind == "state":
        return _state(keys, key, server_ms)
    if kind not in looks:
        return None
    look, is_ours = looks[kind]
    return Unit(kind, key, look, lambda replies: [key] if is_ours(replies) and not is_late else [])


def pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the fields of a hash from the flat list of HSCAN."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _state(keys: Keyspace, key: str, server_ms: int) -> Unit:
    segment_key = keys.segment_of_state(key)

    def proven(replies: Sequence[Reply]) -> list[str]:
        values, kind = replies
        try:
            state = SegmentState.decode(key, values, server_ms=server_ms)
        except WrongKeyError:
            return []
        if state is None:
            return []
        # what is no list was put there by somebody else
        return [key, segment_key] if state.count and kind == b"list" else [key]

    return Unit("state", key, (("HMGET", key, *SegmentState.FIELDS), ("TYPE", segment_key)), proven, (segment_key,))
