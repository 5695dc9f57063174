"""A link to a real server at which one fault comes once so many bytes have passed, in any request or reply."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from tests.stage.relay import Direction, Pair, finish
from tests.stage.slow_link import SlowLink

Effect = Literal["cut", "lose", "late", "flip", "act", "stall"]


class RandomLink(SlowLink):
    """A link, near or far, on which a fault comes once.

    Attributes:
        has_come: Whether it has.
        under_way_bytes: What was on its way when it came, in the direction that counts.
    """

    def __init__(
        self,
        server_port: int,
        effect: Effect,
        direction: Direction,
        after_bytes: int,
        *,
        act: Callable[[], object] = lambda: None,
        bit: int = 0,
        round_trip_s: float = 0.0,
        stall_s: float = 0.0,
    ) -> None:
        """Open the link.

        Args:
            server_port: Of a server on this host.
            effect: `cut` at the byte; `lose` the replies to what was on its way; `late`: what was on its way is kept
                for `deliver_late`; `flip` a bit of the byte; `act` is called, and what came goes on; `stall`: what the
                connection carries, both ways, goes on only after a while, though its client may be gone by then.
            direction: Which bytes count.
            after_bytes: How many arrive before, over all connections.
            act: For `act` and `late`; runs in the link's thread.
            bit: For `flip`, from 0 to 7.
            round_trip_s: How long a request and its reply take on their way.
            stall_s: For `stall`, how long.
        """
        self._effect, self._direction, self._left = effect, direction, after_bytes
        self._act, self._bit, self._stall_s = act, bit, stall_s
        self._kept: list[tuple[socket.socket, bytes]] = []
        self._stalled: Pair | None = None
        self._stalled_until = 0.0
        self._held: list[tuple[bytes, Direction]] = []
        self.has_come = False
        self.under_way_bytes = 0
        super().__init__(server_port, round_trip_s=round_trip_s)

    def arrive(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, unless the fault is due."""
        if pair is self._stalled:
            self._held.append((data, direction))
        elif self.has_come or direction != self._direction or self._left >= len(data):
            self._left -= len(data) if direction == self._direction else 0
            self.forward(pair, data, direction)
        else:
            self.has_come = True
            self.under_way_bytes = len(data) + self.bytes_under_way(pair, direction)
            self._strike(pair, data, direction)

    def _strike(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Bring the fault at this piece of what was sent."""
        before, after = data[: self._left], data[self._left :]
        if self._effect == "act":
            self._act()
            self.forward(pair, data, direction)
        elif self._effect == "flip":
            self.forward(pair, before + bytes([after[0] ^ (1 << self._bit)]) + after[1:], direction)
        elif self._effect == "stall":
            self.forward(pair, before, direction)
            self._stalled, self._stalled_until = pair, time.monotonic() + self._stall_s
            self._held.append((after, direction))
        elif self._effect == "late":
            self.forward(pair, before, direction)
            self._kept.append((pair.server, after + self.take_under_way(pair, "to_server")))
            self.drop(pair, keep_server=True)
            self._act()
        else:
            rest = self.take_under_way(pair, "to_server") if self._effect == "lose" else b""
            self.forward(pair, data + rest if self._effect == "lose" else before, direction)
            self.drop(pair, keep_server=True)
            finish(pair.server)

    def drop(self, pair: Pair, *, keep_server: bool = False) -> None:
        """Close a connection; what a stalled one had sent still arrives, when its time has come."""
        super().drop(pair, keep_server=keep_server or pair is self._stalled)

    def next_due_s(self) -> float | None:
        """Return when bytes are due; a stalled connection's, too."""
        if self._stalled is None:
            return super().next_due_s()
        stalled_s = max(0.0, self._stalled_until - time.monotonic())
        other_s = super().next_due_s()
        return stalled_s if other_s is None else min(stalled_s, other_s)

    def carry_due(self) -> None:
        """Forward what is due."""
        super().carry_due()
        if self._stalled is not None and time.monotonic() >= self._stalled_until:
            self._end_stall()

    def close(self) -> None:
        """Close the link; what was held back arrives before."""
        if self._thread.is_alive():
            self.order(self._end_stall)
            self.order(self._deliver)
        super().close()

    def _end_stall(self) -> None:
        pair, self._stalled = self._stalled, None
        held, self._held = self._held, []
        if pair is not None and pair not in self.pairs:  # the client is gone, what it had sent is not
            self._kept.append((pair.server, b"".join(data for data, way in held if way == "to_server")))
            self._deliver()
            return
        for data, direction in held:
            assert pair is not None
            self.forward(pair, data, direction)

    def deliver_late(self) -> None:
        """Send what was kept, and wait until the server has carried it out."""
        self.order(self._deliver)

    def _deliver(self) -> None:
        while self._kept:
            server, data = self._kept.pop()
            with suppress(OSError):  # a server that has closed the connection meanwhile
                server.sendall(data)
            finish(server)
