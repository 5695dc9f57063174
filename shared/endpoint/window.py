"""How many bytes may be in flight to a server: a window that follows the link. Pure.

A window counted in batches was rejected: over 80 ms four batches leave the link idle for most of the time. So was one
of a fixed size: 8 MiB on a link of 250 kB/s are answered after the socket's time-out.
"""

from __future__ import annotations

import math
from collections import deque
from threading import Lock
from typing import NamedTuple

FIRST_BYTES = 512 * 1024
LEAST_BYTES = 64 * 1024
MAX_BYTES = 8 * 1024 * 1024
LATEST_REPLY_S = 1.0  # a fifth of the socket's time-out
GAIN = 2.0
FAST_GAIN = 4.0  # while replies come no later for what we have in flight
_NOT_LATER = 1.25
_RATES = 64
_DOUBLE_AFTER_S = 60.0


class Flight(NamedTuple):
    """A batch on its way: its bytes, when it was sent, and how many bytes had been answered by then."""

    size: int
    sent_s: float
    answered_bytes: int


class Window:
    """About twice the measured rate times the round trip, at most 8 MiB, and never more than a second's worth.

    It is kept for a server across segments and connections. The round trip is the shortest ever seen: later replies are
    longer under way because of what we have in flight ourselves. Each lost connection halves what may be in flight,
    because a server may cut a client that asks too far ahead, and says nothing (`client-output-buffer-limit`).

    Attributes:
        limit: Bytes that may be in flight now.
        in_flight: Bytes that are.
        most: Bytes that `limit` never exceeds.

    Source:
        The delivery rate and the gain of 2 are those of BBR: Cardwell et al., "BBR: Congestion-Based Congestion
        Control", ACM Queue 14(5), 2016.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.most = MAX_BYTES
        self._lost_s = -_DOUBLE_AFTER_S
        self._answered = 0
        self._lock = Lock()  # several threads may have connections to one server
        self._round_trip_s = math.inf
        self._is_slow = False
        self._rates: deque[float] = deque(maxlen=_RATES)
        self._forget()

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes may be sent now; one batch always may."""
        return self.in_flight == 0 or self.in_flight + size <= self.limit

    def begin(self, *, now_s: float) -> None:
        """Note a new connection: a minute after a loss more is tried again."""
        if self.most < MAX_BYTES and now_s - self._lost_s >= _DOUBLE_AFTER_S:
            self.most = min(MAX_BYTES, self.most * 2)
            self._lost_s = now_s

    def sent(self, size: int, *, now_s: float) -> Flight:
        """Note a batch that is sent; give the flight back to `answered`."""
        with self._lock:
            self.in_flight += size
            return Flight(size, now_s, self._answered)

    def answered(self, flight: Flight, *, now_s: float) -> float:
        """Note the reply to a batch, let the window follow what it says of the link, and return the seconds it took."""
        took_s = max(now_s - flight.sent_s, 1e-6)
        with self._lock:
            self.in_flight -= flight.size
            self._answered += flight.size
            self._round_trip_s = min(self._round_trip_s, took_s)
            if not flight.size:  # a command that waits behind nothing of ours, so it alone shows a short round trip
                return took_s
            self._rates.append((self._answered - flight.answered_bytes) / took_s)
            rate = max(self._rates)
            self._is_slow = self._is_slow or took_s - self._round_trip_s > LATEST_REPLY_S / 4
            latest = max(LEAST_BYTES, rate * LATEST_REPLY_S) if self._is_slow else MAX_BYTES
            gain = FAST_GAIN if took_s <= _NOT_LATER * self._round_trip_s else GAIN
            wanted = max(FIRST_BYTES, gain * rate * self._round_trip_s)
            self.limit = int(min(self.most, wanted, latest))
        return took_s

    def abandoned(self, size: int) -> None:
        """Note that nobody waits for the replies to so many bytes any more: their connection is closed."""
        with self._lock:
            self.in_flight -= size

    def lost(self, size: int, *, now_s: float) -> None:
        """Note a connection that is lost with so many bytes in flight: ask less far ahead on the next one.

        What is known of the link is forgotten, because the next connection may lead elsewhere.
        """
        with self._lock:
            self.in_flight -= size
            if size > LEAST_BYTES:
                self.most = max(LEAST_BYTES, size // 2)
            self._lost_s = now_s
            self._forget()

    def _forget(self) -> None:
        self.limit = min(FIRST_BYTES, self.most)
        self._round_trip_s = math.inf
        self._is_slow = False  # until a reply has come late: a rate says little while little is in flight
        self._rates.clear()
