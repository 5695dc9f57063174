"""A server's clock, read once and carried on by ours: tokens and times need no round trip each.

What both programs write down is the server's time, so that two hosts with wrong clocks still agree. It is read again
after every outage, since another server may have taken over.
"""

from __future__ import annotations

import time


class ServerClock:
    """What a server's TIME said, and how long ago."""

    def __init__(self) -> None:
        """Know nothing yet; see `set`."""
        self._offset_us = 0

    def set(self, server_us: int) -> None:
        """Take what TIME has just said, in microseconds since 1970."""
        self._offset_us = server_us - time.monotonic_ns() // 1_000

    def now_ms(self) -> int:
        """Return what TIME would say now, in milliseconds since 1970."""
        return self.ms_at(time.monotonic())

    def ms_at(self, monotonic_s: float) -> int:
        """Return what TIME said at a moment of this host's monotonic clock, in milliseconds since 1970."""
        return (int(monotonic_s * 1_000_000) + self._offset_us) // 1_000
