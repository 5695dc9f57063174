"""One delivery of an entry: what was asked at its beginning, so that the story can decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server_b.entry import Entry
from server_b.group.entries import EntrySource
from server_b.group.signal_group import SignalGroup, deliveries_of
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.server_clock import ServerClock
from shared.endpoint.together import Together
from shared.errors import HandoverError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict


@dataclass(frozen=True)
class Delivery:
    """An entry that holds a signal, and what is known before its segment is read.

    Attributes:
        number: How often the entry was delivered, those left out that a lost connection ended.
        standing: The verdict on the segment that is recorded already.
        look: What is known of the segment.
        clock: The server's, as it was then.
        obstacle: Why the segment can't be read: somebody else's key is in the way; empty when it can.
    """

    entry: Entry
    signal: Signal
    number: int
    standing: SegmentVerdict | None
    look: SegmentLook
    clock: ServerClock
    obstacle: str = ""

    @property
    def is_known(self) -> bool:
        """Whether a verdict on this attempt or a later one is recorded already."""
        return self.standing is not None and self.standing.attempt >= self.signal.attempt

    @property
    def lag_ms(self) -> int:
        """How long the signal took, by the server's clock."""
        return max(0, self.look.taken_ms - self.entry.sent_ms)


def look_at(
    endpoint: Endpoint, keys: Keyspace, entry: Entry, signal: Signal, *, group: SignalGroup, source: EntrySource
) -> Delivery:
    """Ask all there is to know of a delivery, together.

    Raises:
        WrongKeyError: Somebody else gave the result another type.
        TransientError: The connection was lost.

    Redis:
        HGET of the verdict, TIME, HMGET of state and record; XPENDING of a redelivered entry. O(1), one round trip.
    """
    key = keys.result(signal.run_id)
    asked = Together(endpoint)
    asked.at(key).hget(key, str(signal.segment))
    SegmentLook.ask(asked, keys, signal)
    if entry.is_redelivered:
        group.ask_deliveries(asked, entry)
    result, *replies = asked.send(raise_on_error=False)
    counted = replies.pop() if entry.is_redelivered else None
    for reply in (result, counted):
        if isinstance(reply, HandoverError):
            raise reply
    number = source.corrected(entry, deliveries_of(counted)) if counted is not None else 1
    standing = SegmentVerdict.decode(result) if result is not None else None
    look, obstacle = _decoded(endpoint, keys, signal, replies)
    clock = ServerClock()
    clock.set(look.taken_ms * 1_000)
    return Delivery(entry, signal, number, standing, look, clock, obstacle)


def _decoded(endpoint: Endpoint, keys: Keyspace, signal: Signal, replies: list[Any]) -> tuple[SegmentLook, str]:
    try:
        return SegmentLook.decode(keys, signal, replies), ""
    except WrongKeyError as error:
        return SegmentLook.blind(endpoint, keys), str(error)
