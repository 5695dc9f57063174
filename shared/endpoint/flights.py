"""What one connection has in flight: bytes in the server's window, and how long their replies took."""

from __future__ import annotations

import time
from collections import deque

from shared.endpoint.reply_times import ReplyTimes
from shared.endpoint.window import Flight, Window


class Flights:
    """Keeps account of flights: one is what was sent at once, and has landed when its last reply was read.

    Attributes:
        window: The server's, shared by all connections to it and kept from one to the next.
        times: How long flights took.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.times = ReplyTimes()
        self._flights: deque[tuple[int, Flight]] = deque()  # with the number of replies read when it has landed
        self._sent = self._read = 0  # replies asked for and read
        self._bytes = 0  # of flights under way
        window.begin(now_s=time.monotonic())

    @property
    def replies_left(self) -> int:
        """How many replies are still to be read, also those of what no flight counts."""
        return self._sent - self._read

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes may be sent, or asked for, ahead of the replies; something always may."""
        return not self._bytes or self.window.has_room(size)

    def sent(self, size: int, *, replies: int) -> None:
        """Note what is sent, in bytes that the window counts; of 0 bytes only the round trip is of interest."""
        self._sent += replies
        if replies:
            self._bytes += size
            self._flights.append((self._sent, self.window.sent(size, now_s=time.monotonic())))

    def answered(self, replies: int) -> None:
        """Note replies that were read."""
        self._read += replies
        while self._flights and self._flights[0][0] <= self._read:
            _, flight = self._flights.popleft()
            self._bytes -= flight.size
            took_s = self.window.answered(flight, now_s=time.monotonic())
            if flight.size:
                self.times.add(took_s)

    def take_times(self) -> ReplyTimes:
        """Return the times so far, and start anew."""
        times, self.times = self.times, ReplyTimes()
        return times

    def lose(self) -> None:
        """Note that the connection is lost, so that the window allows less on the next one."""
        self.window.lost(self._drop(), now_s=time.monotonic())

    def abandon(self) -> None:
        """Note that the connection is closed: nobody waits for what is in flight."""
        self.window.abandoned(self._drop())

    def _drop(self) -> int:
        size, self._bytes = self._bytes, 0
        self._flights.clear()
        return size
