"""A server's clock, read once and carried on by ours: tokens and times need no round trip each."""

from __future__ import annotations

import time


class ServerClock:
    """What a server's TIME said, and how long ago; read again after an outage, since another server may answer then.

    Both programs write down the server's time, so that two hosts with wrong clocks still agree.
    """

    _offset_us = 0

    def set(self, server_us: int) -> None:
        """Take what TIME has just said, in microseconds since 1970."""
        self._offset_us = server_us - time.monotonic_ns() // 1_000

    def now_ms(self) -> int:
        """Return what TIME would say now, in milliseconds since 1970."""
        return self.ms_at(time.monotonic())

    def ms_at(self, monotonic_s: float) -> int:
        """Return what TIME said at a moment of this host's monotonic clock, in milliseconds since 1970."""
        return (int(monotonic_s * 1_000_000) + self._offset_us) // 1_000
