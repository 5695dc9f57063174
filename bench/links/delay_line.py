"""One direction of a link: when each byte that came may go on. Pure: the time is an argument.

A byte first waits until the link has carried those before it (at a limited rate), then for the delay. How much may wait
is not limited: a link that took only so much at a time would be slower with a greater delay, whatever the programs do.
"""

from __future__ import annotations

from collections import deque

# A limited link carries in steps of so many seconds, else what was read at once would also arrive at once.
_STEP_S = 0.005
END = b""


class DelayLine:
    """Bytes on their way, in order."""

    def __init__(self, *, delay_s: float, bytes_per_s: int = 0) -> None:
        """Describe an empty line.

        Args:
            delay_s: Seconds from the carrying of a byte to its arrival.
            bytes_per_s: How many bytes are carried in a second; 0: all at once.
        """
        self._delay_s = delay_s
        self._bytes_per_s = bytes_per_s
        self._pieces: deque[tuple[float, memoryview]] = deque()
        self._carried_at = 0.0

    def put(self, data: bytes, now_s: float) -> None:
        """Take bytes that came now; `END` says that no more will come, and arrives as they do."""
        view = memoryview(data)
        if not self._bytes_per_s or not data:
            self._carried_at = max(self._carried_at, now_s)
            self._pieces.append((self._carried_at + self._delay_s, view))
            return
        size = max(1, int(self._bytes_per_s * _STEP_S))
        for start in range(0, len(view), size):
            piece = view[start : start + size]
            self._carried_at = max(self._carried_at, now_s) + len(piece) / self._bytes_per_s
            self._pieces.append((self._carried_at + self._delay_s, piece))

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
