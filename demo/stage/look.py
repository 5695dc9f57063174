"""How far the newest run is, and who of the server-b holds what: asked at the primary, through no link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import redis

from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP, Signal

KEYS = Keyspace()


@dataclass(frozen=True)
class Phase:
    """How far the newest run that has a signal is.

    Attributes:
        newest: The newest signal, and its stream id.
    """

    run_id: str
    segments: int
    published: int
    is_finished: bool
    newest_id: bytes
    newest: Signal

    @property
    def is_written_now(self) -> bool:
        """Whether something is left to be written, with time to see what becomes of it."""
        return not self.is_finished and self.published <= self.segments // 2


@dataclass(frozen=True)
class Held:
    """A signal that a consumer holds."""

    entry_id: bytes
    consumer: str
    segment: int
    run_id: str


def phase(client: redis.Redis) -> Phase | None:
    """Return how far the newest run is; None where there is none. Redis: XREVRANGE, HMGET."""
    found = cast("list[Any]", client.xrevrange(KEYS.signals(), count=1))
    if not found:
        return None
    entry_id, fields = found[0]
    try:
        signal = Signal.decode(fields)
    except InvalidInputError:
        return None
    published, finished_ms = cast("list[Any]", client.hmget(KEYS.run(signal.run_id), ["published", "finished_ms"]))
    is_finished = finished_ms not in (None, b"0")
    # The record says so a little later; with one writer segments are published in order.
    so_far = max(int(published or 0), signal.segment)
    return Phase(signal.run_id, signal.segments, so_far, is_finished, entry_id, signal)


def held(client: redis.Redis) -> list[Held]:
    """Return what is pending, the oldest first. Redis: XPENDING, and XRANGE for each entry."""
    try:
        pending = cast("list[Any]", client.xpending_range(KEYS.signals(), CONSUMER_GROUP, "-", "+", 20))
    except redis.ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
        return []
    found = []
    for each in pending:
        entry_id = each["message_id"]
        for _, fields in cast("list[Any]", client.xrange(KEYS.signals(), entry_id, entry_id)):
            signal = Signal.decode(fields)
            found.append(Held(entry_id, each["consumer"].decode(), signal.segment, signal.run_id))
    return found
