"""A TCP link to a real server that fails at chosen moments: the network of the fault tests.

Faults are tied to what is under way (a request's text, a number of bytes) and never to time, so a test means the same
moment on every machine. A request's text is looked for in what clients send, so values should not contain it.

A fault that never came, or a request held back that nobody let go, fails the test at the link's end: such a test would
pass without having tested anything.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from tests.relay import Direction, Pair, Relay, finish

_Effect = Literal["act", "kill", "lose", "hold"]


@dataclass(eq=False)
class _AtRequest:
    """What to do when the nth request with a text comes."""

    text: bytes
    nth: int
    effect: _Effect
    act: Callable[[], object] | None = None


@dataclass(eq=False)
class _AtBytes:
    """Which connections to cut: those that have carried so many bytes in a direction, so many times or, None, all."""

    direction: Direction
    after: int
    times: int | None


class FaultyLink(Relay):
    """A link to the server at a port of 127.0.0.1.

    Attributes:
        cuts: How many connections were cut by a fault.
    """

    def __init__(self, server_port: int) -> None:
        """Open the link, without faults."""
        self._held: list[tuple[socket.socket, bytes]] = []
        self._at_requests: list[_AtRequest] = []
        self._at_bytes: list[_AtBytes] = []
        self.cuts = 0
        super().__init__(server_port)

    def at(self, request: bytes, act: Callable[[], object], *, nth: int = 1, is_forwarded: bool = True) -> None:
        """Call `act` when the nth request with this text has come and none of its bytes went on.

        Args:
            request: Part of the request.
            act: Runs in the link's thread; the whole link stands still meanwhile.
            nth: Which of the requests with this text, from now on and over all connections.
            is_forwarded: Whether the request goes on afterwards; otherwise its connection is cut.
        """
        self._add(_AtRequest(request, nth, "act" if is_forwarded else "kill", act))

    def lose_reply(self, request: bytes, *, nth: int = 1) -> None:
        """Have the server carry the nth request with this text out, throw the reply away, and cut the connection."""
        self._add(_AtRequest(request, nth, "lose"))

    def hold(self, request: bytes, *, nth: int = 1) -> None:
        """Keep the nth request with this text back and cut the client, but not the server; see `deliver_held`."""
        self._add(_AtRequest(request, nth, "hold"))

    def deliver_held(self) -> bytes:
        """Send what was held to the server, late, wait until that has carried it out, and return the replies."""
        replies: list[bytes] = []

        def deliver() -> None:
            while self._held:
                server, data = self._held.pop(0)
                server.sendall(data)
                replies.append(finish(server))

        self.order(deliver)
        return b"".join(replies)

    def cut_after(self, direction: Direction, byte_count: int, *, times: int | None = 1) -> None:
        """Cut each connection once it has carried exactly so many bytes in a direction.

        Args:
            direction: Which bytes count.
            byte_count: How many of them go on.
            times: How many connections; None for every one, for ever, of which none need come.
        """
        self.order(lambda: self._at_bytes.append(_AtBytes(direction, byte_count, times)))

    def cut(self) -> None:
        """Cut every connection now."""

        def cut_all() -> None:
            for pair in list(self.pairs):
                self._cut(pair)

        self.order(cut_all)

    def close(self) -> None:
        """Close the link; may be called twice.

        Raises:
            AssertionError: A fault never came, or what was held is still held.
        """
        unused = self._end()
        assert not unused, "the test left these unused: " + ", ".join(unused)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; of a test that has failed already nothing more is asked."""
        if error is None:
            self.close()
        else:
            self._end()

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, unless a fault is due."""
        if direction == "to_server" and not self._pass_requests(pair, data):
            return
        for rule in self._at_bytes:
            carried = pair.carried[direction]
            if rule.direction == direction and rule.times != 0 and carried + len(data) >= rule.after:
                rule.times = rule.times and rule.times - 1
                self.forward(pair, data[: max(0, rule.after - carried)], direction)
                self._cut(pair)
                return
        self.forward(pair, data, direction)

    def _pass_requests(self, pair: Pair, data: bytes) -> bool:
        """Carry out what is due at requests, acts before faults; return whether the bytes are still to go on."""
        due = []
        for rule in list(self._at_requests):
            rule.nth -= (pair.recent[-len(rule.text) + 1 :] + data).count(rule.text)
            if rule.nth <= 0:
                self._at_requests.remove(rule)
                due.append(rule)
        pair.recent = (pair.recent + data)[-64:]
        for rule in due:
            if rule.act is not None:
                rule.act()
        faults = [rule for rule in due if rule.effect != "act"]
        for later in faults[1:]:  # the connection is gone by then: at the next such request instead
            later.nth = 1
            self._at_requests.append(later)
        for rule in faults[:1]:
            self._fail(pair, data, rule.effect)
        return not faults

    def _fail(self, pair: Pair, data: bytes, effect: _Effect) -> None:
        """Cut a connection whose client has just sent these bytes, which the server may get or not."""
        if effect == "lose":
            pair.server.sendall(data)
        if effect == "hold":
            self._held.append((pair.server, data))
        self._cut(pair, keep_server=effect != "kill")
        if effect == "lose":
            finish(pair.server)

    def _end(self) -> list[str]:
        """Close everything; return what was never used, once."""
        unused = [f"{rule.effect} at {rule.text!r}" for rule in self._at_requests]
        unused += [
            f"{rule.times} cuts {rule.direction} after {rule.after} bytes" for rule in self._at_bytes if rule.times
        ]
        unused += [f"held {data[:64]!r}" for _, data in self._held]
        for server, _ in self._held:
            server.close()
        self._at_requests, self._at_bytes, self._held = [], [], []
        super().close()
        return unused

    def _cut(self, pair: Pair, *, keep_server: bool = False) -> None:
        self.cuts += 1
        self.drop(pair, keep_server=keep_server)

    def _add(self, rule: _AtRequest) -> None:
        self.order(lambda: self._at_requests.append(rule))
