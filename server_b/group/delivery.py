"""One delivery of a signal: what the decision about it needs."""

from __future__ import annotations

from dataclasses import dataclass

from server_b.group.entry import Entry
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import ServerClock
from shared.signal import Signal
from shared.verdict import SegmentVerdict


@dataclass(frozen=True)
class Delivery:
    """An entry that holds a signal, and what is known before its segment is read."""

    entry: Entry
    signal: Signal
    number: int  # how often the entry was delivered, without deliveries that a lost connection ended
    standing: SegmentVerdict | None  # the verdict on the segment that is recorded already
    look: SegmentLook
    clock: ServerClock  # the server's

    @property
    def is_known(self) -> bool:
        """Whether a verdict is recorded already that this signal brings nothing new to."""
        return self.standing is not None and self.standing.settles(self.signal)
