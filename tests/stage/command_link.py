"""A link to a real server at which one fault comes at the nth command of a name, which it tells apart by their form."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from tests.stage.lying_link import end_of_reply
from tests.stage.relay import Direction, Pair, Relay, finish

Fault = Literal["lost", "cut", "slow", "late", "flipped", "flipped reply"]
_OF_TWO_WORDS = {b"CLIENT", b"CLUSTER", b"CONFIG", b"XGROUP", b"XINFO"}


class CommandLink(Relay):
    """A link to the server at a port of 127.0.0.1.

    Attributes:
        sent: The commands that came, in order, over all connections.
        has_come: Whether the fault has come.
    """

    def __init__(self, server_port: int) -> None:
        """Open the link, without faults."""
        self._begun: dict[Pair, bytes] = {}  # a request that is not whole yet
        self._fault: Fault | None = None
        self._wanted = ("", 0)
        self._seen: Counter[str] = Counter()
        self._drawn = random.Random()
        self._act: Callable[[], object] | None = None
        self._kept: list[tuple[socket.socket, bytes]] = []
        self._stalled: Pair | None = None
        self._replying: Pair | None = None
        self.sent: list[str] = []
        self.has_come = False
        super().__init__(server_port)

    def strike(self, fault: Fault, command: str, nth: int, *, seed: str) -> None:
        """Bring a fault at the nth command of a name from now on.

        Args:
            fault: `lost`: carried out, and its reply thrown away; `cut` in the middle of its bytes; `slow`: nothing is
                carried any more until the client gives up, and then what it had sent arrives; `late`: the client is cut
                off, and it arrives with `deliver`; `flipped`: one bit of it; `flipped reply`: one bit of its reply.
            command: A name, as in `sent`.
            nth: Which, counted over all connections.
            seed: Draws the byte.
        """
        self._arm(fault, command, nth, seed)

    def act(self, act: Callable[[], object], command: str, nth: int) -> None:
        """Call this in the link's thread before the nth command of a name goes on."""
        self._arm(None, command, nth, "", act)

    def _arm(
        self, fault: Fault | None, command: str, nth: int, seed: str, act: Callable[[], object] | None = None
    ) -> None:
        def arm() -> None:
            self._fault, self._wanted, self._drawn = fault, (command, nth), random.Random(seed)
            self._act, self._seen, self.has_come = act, Counter(), False

        self.order(arm)

    def deliver(self) -> None:
        """Send what was kept to the server, and wait until it has carried that out."""
        self.order(self._deliver)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Carry requests one by one, and replies as they come."""
        if direction == "to_client":
            if pair is self._replying:
                self._replying, data = None, self.flipped(data)
            if pair is not self._stalled:
                self.forward(pair, data, direction)
            return
        data = self._begun.pop(pair, b"") + data
        start = 0
        while end := end_of_reply(data, start):
            self._carry(pair, data[start:end], data[end:])
            start = end
        if pair in self.pairs and start < len(data):
            self._begun[pair] = data[start:]

    def _carry(self, pair: Pair, request: bytes, rest: bytes) -> None:
        name = _name(request)
        self.sent.append(name)
        self._seen[name] += 1
        self.seen(name, self._seen[name])
        if pair is self._stalled:
            self._kept.append((pair.server, request))
        elif self.has_come or self._wanted != (name, self._seen[name]) or pair not in self.pairs:
            self.forward(pair, request, "to_server")
        else:
            self.has_come = True
            self._strike(pair, request, rest)

    def seen(self, name: str, times: int) -> None:
        """Note the nth command of a name before it goes on; a hook, which does nothing here."""

    def _strike(self, pair: Pair, request: bytes, rest: bytes) -> None:
        if self._act is not None:
            self._act()
            self.forward(pair, request, "to_server")
        elif self._fault == "flipped":
            self.forward(pair, self.flipped(request), "to_server")
        elif self._fault == "flipped reply":
            self._replying = pair
            self.forward(pair, request, "to_server")
        elif self._fault == "slow":
            self._stalled = pair
            self._kept.append((pair.server, request))
        elif self._fault == "late":
            self._kept.append((pair.server, request + rest))
            self.drop(pair, keep_server=True)
        else:
            is_whole = self._fault == "lost"
            self.forward(pair, request if is_whole else request[: self._drawn.randrange(len(request))], "to_server")
            self.drop(pair, keep_server=True)
            finish(pair.server)

    def drop(self, pair: Pair, *, keep_server: bool = False) -> None:
        """Close a connection; what a stalled one had sent arrives then."""
        is_stalled = pair is self._stalled
        super().drop(pair, keep_server=keep_server or is_stalled)
        if is_stalled:
            self._stalled = None
            self._deliver()

    def flipped(self, data: bytes) -> bytes:
        """Return a request or a reply with the bit that is drawn flipped."""
        place, bit = self._drawn.randrange(len(data)), self._drawn.randrange(8)
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]

    def _deliver(self) -> None:
        kept, self._kept = self._kept, []
        servers = dict.fromkeys(server for server, _ in kept)
        for server in servers:
            with suppress(OSError):  # a server that has closed the connection meanwhile
                server.sendall(b"".join(data for other, data in kept if other is server))
            finish(server)


def _name(request: bytes) -> str:
    words = request.split(b"\r\n", 6)[2:5:2]
    words = words if words and words[0].upper() in _OF_TWO_WORDS else words[:1]
    return b" ".join(words).decode("ascii", "replace").upper()
