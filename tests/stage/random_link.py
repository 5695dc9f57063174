"""A link to a real server at which one fault comes once so many bytes have passed, in any request or reply."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Literal

from tests.stage.relay import Direction, Pair, Relay, finish

Effect = Literal["cut", "lose", "late", "flip", "act"]


class RandomLink(Relay):
    """A link on which a fault comes once.

    Attributes:
        has_come: Whether it has.
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
    ) -> None:
        """Open the link.

        Args:
            server_port: Of a server on this host.
            effect: `cut` at the byte; `lose` the replies to what came; `late`: what comes is kept for `deliver_late`;
                `flip` a bit of the byte; `act` is called, and what came goes on.
            direction: Which bytes count.
            after_bytes: How many pass before, over all connections.
            act: For `act`; runs in the link's thread.
            bit: For `flip`, from 0 to 7.
        """
        self._effect, self._direction, self._left = effect, direction, after_bytes
        self._act, self._bit = act, bit
        self._late: list[tuple[socket.socket, bytes]] = []
        self.has_come = False
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, unless the fault is due."""
        if self.has_come or direction != self._direction or self._left >= len(data):
            self._left -= len(data) if direction == self._direction else 0
            self.forward(pair, data, direction)
            return
        self.has_come = True
        before, after = data[: self._left], data[self._left :]
        if self._effect == "act":
            self._act()
            self.forward(pair, data, direction)
        elif self._effect == "flip":
            self.forward(pair, before + bytes([after[0] ^ (1 << self._bit)]) + after[1:], direction)
        elif self._effect == "late":
            self.forward(pair, before, direction)
            self._late.append((pair.server, after))
            self.drop(pair, keep_server=True)
        else:
            self.forward(pair, data if self._effect == "lose" else before, direction)
            self.drop(pair, keep_server=True)
            finish(pair.server)

    def deliver_late(self) -> None:
        """Send what was kept, and wait until the server has carried it out."""

        def deliver() -> None:
            while self._late:
                server, data = self._late.pop()
                server.sendall(data)
                finish(server)

        self.order(deliver)
