"""A link to a server that carries only so many bytes a second to its clients."""

from __future__ import annotations

import time
from collections import deque

from tests.stage.relay import Direction, Pair, Relay

_PIECE_BYTES = 8_192


class NarrowLink(Relay):
    """A relay with one queue towards all clients; what they send goes on at once."""

    def __init__(self, server_port: int, *, bytes_per_s: int) -> None:
        """Open the link."""
        self._bytes_per_s = bytes_per_s
        self._waiting: deque[tuple[Pair, bytes]] = deque()
        self._free_at = 0.0
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Keep bytes for clients back until it is their turn."""
        if direction == "to_server":
            self.forward(pair, data, direction)
            return
        pieces = [data[start : start + _PIECE_BYTES] for start in range(0, len(data), _PIECE_BYTES)]
        self._waiting.extend((pair, piece) for piece in pieces)

    def next_due_s(self) -> float | None:
        """Return when the next piece may go on."""
        return max(0.0, self._free_at - time.monotonic()) if self._waiting else None

    def carry_due(self) -> None:
        """Forward what is due."""
        while self._waiting and (now := time.monotonic()) >= self._free_at:
            pair, piece = self._waiting.popleft()
            self._free_at = max(now, self._free_at) + len(piece) / self._bytes_per_s
            self.forward(pair, piece, "to_client")
