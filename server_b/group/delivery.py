"""One delivery of a signal: what the decision about it needs."""

from __future__ import annotations

from dataclasses import dataclass

from server_b.group.signal_group import Entry
from server_b.segment.look import SegmentLook
from shared.endpoint.endpoint import ServerClock
from shared.signal import Signal
from shared.verdict import FAILED, SegmentVerdict


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
        """Whether a verdict on this attempt or a later one is recorded already.

        A failed one on a signal of the same attempt that said something else doesn't count: it was damaged on the way.
        """
        standing, signal = self.standing, self.signal
        if standing is None or standing.attempt != signal.attempt:
            return standing is not None and standing.attempt > signal.attempt
        said = (signal.segments, signal.count, signal.digest)
        return standing.verdict != FAILED or (standing.segments, standing.count, standing.digest) == said
