"""A link to a server that takes its time: each byte comes so much later, and none the later for those before it."""

from __future__ import annotations

import time
from collections import deque

from tests.stage.relay import Direction, Pair, Relay


class SlowLink(Relay):
    """A relay that keeps everything back for half a round trip, in both directions."""

    def __init__(self, server_port: int, *, round_trip_s: float) -> None:
        """Open the link."""
        self._one_way_s = round_trip_s / 2
        self._under_way: deque[tuple[float, Pair, bytes, Direction]] = deque()
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Keep bytes back until they are due."""
        self._under_way.append((time.monotonic() + self._one_way_s, pair, data, direction))

    def next_due_s(self) -> float | None:
        """Return when the first bytes are due."""
        return max(0.0, self._under_way[0][0] - time.monotonic()) if self._under_way else None

    def carry_due(self) -> None:
        """Forward what is due."""
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, pair, data, direction = self._under_way.popleft()
            try:
                self.arrive(pair, data, direction)
            except OSError:  # an end that closed the connection meanwhile
                self.drop(pair)

    def arrive(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Handle bytes that have come through; here they are forwarded."""
        self.forward(pair, data, direction)

    def bytes_under_way(self, pair: Pair, direction: Direction) -> int:
        """Return how many bytes of a connection are on their way."""
        return sum(len(data) for _, other, data, way in self._under_way if (other, way) == (pair, direction))

    def take_under_way(self, pair: Pair, direction: Direction) -> bytes:
        """Take the bytes of a connection that are on their way off the link, and return them."""
        taken = b"".join(data for _, other, data, way in self._under_way if (other, way) == (pair, direction))
        self._under_way = deque(one for one in self._under_way if (one[1], one[3]) != (pair, direction))
        return taken
