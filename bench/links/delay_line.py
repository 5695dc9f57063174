"""One direction of a link: when each byte that came may go on. Pure: the time is an argument.

A byte first waits until the link has carried those before it (at a limited rate), then for the delay. How much may wait
is not limited: a link that took only so much at a time would be slower with a greater delay, whatever the programs do.
"""

from __future__ import annotations

from collections import deque

# A limited link carries in steps of so many seconds, else what was read at once would also arrive at once.
_STEP_S = 0.005
END = b""


class Carrier:
    """What carries one direction of a link for all its connections in turn: they share its rate, as on a wire."""

    def __init__(self, bytes_per_s: int = 0) -> None:
        """Describe a carrier at rest.

        Args:
            bytes_per_s: How many bytes it carries in a second; 0: all at once.
        """
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    def carry(self, data: bytes, now_s: float) -> list[tuple[float, memoryview]]:
        """Return bytes that came now in pieces, each with the time when it has been carried."""
        view = memoryview(data)
        if not self._bytes_per_s or not data:
            self._free_at = max(self._free_at, now_s)
            return [(self._free_at, view)]
        size = max(1, int(self._bytes_per_s * _STEP_S))
        pieces = []
        for start in range(0, len(view), size):
            piece = view[start : start + size]
            self._free_at = max(self._free_at, now_s) + len(piece) / self._bytes_per_s
            pieces.append((self._free_at, piece))
        return pieces


class DelayLine:
    """The bytes of one connection on their way, in order."""

    def __init__(self, carrier: Carrier, *, delay_s: float) -> None:
        """Describe an empty line.

        Args:
            carrier: What carries its bytes, and those of others.
            delay_s: Seconds from the carrying of a byte to its arrival; may be changed for bytes that come later.
        """
        self._carrier = carrier
        self.delay_s = delay_s
        self._pieces: deque[tuple[float, memoryview]] = deque()

    def put(self, data: bytes, now_s: float) -> None:
        """Take bytes that came now; `END` says that no more will come, and arrives as they do."""
        self._pieces += [(at_s + self.delay_s, piece) for at_s, piece in self._carrier.carry(data, now_s)]

    def arrives_at(self) -> float | None:
        """Return when the next bytes arrive; None when none are on their way."""
        return self._pieces[0][0] if self._pieces else None

    def take(self, now_s: float) -> memoryview | None:
        """Return the next bytes that have arrived, empty at the end; None when none have."""
        if self._pieces and self._pieces[0][0] <= now_s:
            return self._pieces.popleft()[1]
        return None

    def give_back(self, rest: memoryview) -> None:
        """Take back the rest of what `take` returned last; it stays the next to be taken."""
        self._pieces.appendleft((0.0, rest))
