"""A link that carries its first bytes out of credit, at once, and is slow from then on: a token bucket, as clouds have.

What it carries is what a test looks at: how many bytes were under way at most. No clock is asked for that.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from tests.stage.relay import Direction, Pair, Relay

_PIECE_BYTES = 1_448  # a packet's


@dataclass
class Lane:
    """One direction, whose bytes stand in one queue for all connections.

    Attributes:
        credit_bytes: What is left to be carried at once.
        carried: Bytes that were carried.
        waiting_bytes: Bytes that wait in the queue.
        most_waiting: The most that ever did.
    """

    credit_bytes: int
    carried: int = 0
    waiting_bytes: int = 0
    most_waiting: int = 0
    free_at: float = 0.0
    waiting: deque[tuple[float, Pair, bytes]] = field(default_factory=deque)  # with when each piece arrives


class CreditLink(Relay):
    """A relay that delays both directions by half a round trip, and limits them when their credit is spent.

    Attributes:
        most_late_s: By how much the piece that was latest missed its time, since this thread was held up.
    """

    def __init__(self, server_port: int, *, credit_bytes: int, bytes_per_s: int, round_trip_s: float = 0.0) -> None:
        """Open the link."""
        self._bytes_per_s = bytes_per_s
        self._one_way_s = round_trip_s / 2
        self.most_late_s = 0.0
        self.lanes: dict[Direction, Lane] = {"to_server": Lane(credit_bytes), "to_client": Lane(credit_bytes)}
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Put bytes into the queue."""
        lane, now = self.lanes[direction], time.monotonic()
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            lane.free_at = max(lane.free_at, now)
            if lane.credit_bytes > 0:
                lane.credit_bytes -= len(piece)
            else:
                lane.free_at += len(piece) / self._bytes_per_s
            lane.waiting.append((lane.free_at + self._one_way_s, pair, piece))
        lane.waiting_bytes += len(data)
        lane.most_waiting = max(lane.most_waiting, lane.waiting_bytes)

    def next_due_s(self) -> float | None:
        """Return when the next piece arrives."""
        due = [lane.waiting[0][0] for lane in self.lanes.values() if lane.waiting]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def carry_due(self) -> None:
        """Forward what has arrived."""
        for direction, lane in self.lanes.items():
            while lane.waiting and lane.waiting[0][0] <= (now := time.monotonic()):
                due_at, pair, piece = lane.waiting.popleft()
                self.most_late_s = max(self.most_late_s, now - due_at)
                lane.waiting_bytes -= len(piece)
                lane.carried += len(piece)
                try:
                    self.forward(pair, piece, direction)
                except OSError:  # whoever waited in vain has closed it
                    self.drop(pair)
