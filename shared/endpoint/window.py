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
FAST_GAIN = 8.0  # on a far link until replies come later for what we have in flight
HELD_BYTES = 592 * 1024
PROVEN_BYTES = 1088 * 1024  # a link may carry so many out of credit, and be slow then
TRUST = 4  # times what the link has carried may be in flight
_NOT_LATER = 1.25
_NEAR_S = 0.02  # as much as a near link carries meanwhile is in flight: programs pause, too
_FAR_S = 0.01
_RATES_S = 0.1
_RENEW_AFTER_S = 10.0
_FALLEN = 4
_DOUBLE_AFTER_S = 60.0


class Flight(NamedTuple):
    """A batch on its way.

    Attributes:
        size: Its bytes.
        sent_s: When it was sent.
        since_s: When the last batch was sent that had been answered by then.
        answered_bytes: How many bytes had been answered by then.
        ahead_bytes: How many were in flight before it.
        is_full: Whether it took about all that the window allowed, so that its rate tells what the link carries.
    """

    size: int
    sent_s: float
    since_s: float
    answered_bytes: int
    ahead_bytes: int
    is_full: bool


class Window:
    """About twice the measured rate times the round trip, at most 8 MiB, and never more than a second's worth.

    It is kept for a server across segments and connections. The round trip is the shortest seen: later replies are
    longer under way because of what we have in flight ourselves, or because the link is restless: then the window
    grows more slowly, and not at all where they are late by a quarter of a second. When it is ten seconds old, or the
    rate has fallen, one batch is sent alone and tells what it is now. The rate is the best of the last moments, so
    that the window follows one that falls. Until a link has carried 1 MiB hardly more than at first is in flight, and
    later at most four times what it has carried: one that carries its first bytes out of credit is fast until that is
    spent.

    Each lost connection halves what may be in flight, because a server may cut a client that asks too far ahead, and
    says nothing (`client-output-buffer-limit`).

    Attributes:
        limit: Bytes that may be in flight now.
        in_flight: Bytes that are.
        most: Bytes that `limit` never exceeds.

    Source:
        The delivery rate, its filter, the gain of 2 and the renewed round trip are those of BBR: Cardwell et al.,
        "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.most = MAX_BYTES
        self._lost_s = -_DOUBLE_AFTER_S
        self._answered = 0
        self._lock = Lock()  # several threads may have connections to one server
        self._since_s = 0.0
        self._forget()

    def _forget(self) -> None:
        self.limit = min(FIRST_BYTES, self.most)
        self._round_trip_s = math.inf
        self._renewed_s = -math.inf
        self._is_renewing = False
        self._is_slow = False  # until a reply has come late: a rate says little while little is in flight
        self._late_bytes = 0  # answered late because the link was full
        self._best_rate = 0.0  # since the round trip was renewed
        self._begun_at = self._answered
        self._rates: deque[tuple[float, float]] = deque()  # when and how much, falling

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
            ahead = self.in_flight
            if not ahead:
                self._since_s = now_s
            self.in_flight += size
            return Flight(size, now_s, self._since_s, self._answered, ahead, self.in_flight > self.limit // 2)

    def answered(self, flight: Flight, *, now_s: float) -> float:
        """Note the reply to a batch, let the window follow what it says of the link, and return the seconds it took."""
        took_s = max(now_s - flight.sent_s, 1e-6)
        with self._lock:
            self.in_flight -= flight.size
            self._answered += flight.size
            self._note_round_trip(flight, took_s, now_s)
            if flight.size:  # else it waits behind nothing of ours, so it alone shows a short round trip
                # what came back at once was not carried faster than it was sent
                carried_s = max(took_s, flight.sent_s - flight.since_s)
                self._note_rate((self._answered - flight.answered_bytes) / carried_s, now_s, is_full=flight.is_full)
                self._since_s = flight.sent_s
                self.limit = self._follow(flight, took_s)
        return took_s

    def _note_round_trip(self, flight: Flight, took_s: float, now_s: float) -> None:
        little = max(LEAST_BYTES, 2 * flight.size)  # of several connections each may send a batch
        if took_s <= self._round_trip_s or (self._is_renewing and flight.ahead_bytes <= little):
            self._round_trip_s, self._renewed_s = took_s, now_s
            self._is_renewing, self._best_rate = False, 0.0
        elif now_s - self._renewed_s > _RENEW_AFTER_S:
            self._is_renewing = True

    def _note_rate(self, rate: float, now_s: float, *, is_full: bool) -> None:
        """Keep the rates of the last three round trips; one of a batch that had room is only a lower bound."""
        if is_full and not self._is_renewing:
            until_s = now_s - max(_RATES_S, 3 * self._round_trip_s)
            while self._rates and self._rates[0][0] < until_s:
                self._rates.popleft()
        elif self._rates and rate <= self._rates[-1][1]:
            return
        while self._rates and self._rates[-1][1] <= rate:
            self._rates.pop()
        self._rates.append((now_s, rate))
        self._best_rate = max(self._best_rate, self._rates[0][1])
        if self._rates[0][1] < self._best_rate / _FALLEN:
            self._is_renewing = True

    def _follow(self, flight: Flight, took_s: float) -> int:
        rate = self._rates[0][1]
        self._is_slow = self._is_slow or took_s - self._round_trip_s > LATEST_REPLY_S / 4
        latest = max(LEAST_BYTES, rate * LATEST_REPLY_S) if self._is_slow else MAX_BYTES
        if self._is_renewing:
            return 0  # one batch is sent when all others are answered
        carried = self._answered - self._begun_at
        if carried <= PROVEN_BYTES:
            return int(min(self.most, HELD_BYTES, latest))
        least = min(FIRST_BYTES, max(LEAST_BYTES, rate * _NEAR_S))
        if took_s <= _NOT_LATER * self._round_trip_s:
            is_fast = self._round_trip_s > _FAR_S and self._late_bytes < FIRST_BYTES // 2
            gain = FAST_GAIN if is_fast else GAIN
            wanted = min(gain * rate * self._round_trip_s, TRUST * carried)
        else:
            self._late_bytes += flight.size if flight.is_full else 0
            is_full = took_s - self._round_trip_s > LATEST_REPLY_S / 4  # else the link may only be restless
            wanted = min(GAIN * rate * self._round_trip_s, self.limit + (0 if is_full else flight.size // 4))
        return int(min(self.most, max(least, wanted), latest))

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
                self.most = max(LEAST_BYTES, min(size, self.most) // 2)  # one batch may be longer than the window
            self._lost_s = now_s
            self._forget()
