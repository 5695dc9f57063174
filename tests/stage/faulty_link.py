"""A TCP link to a real server that fails at chosen moments: the network of the fault tests.

Faults are tied to what is under way (a request's text, a number of bytes) and never to time, so a test means the same
moment on every machine. A request's text is looked for in what clients send, so values should not contain it; `resp`
makes the text of a command and its first arguments.

A fault that never came, or a request held back that nobody let go, fails the test at the link's end: such a test would
pass without having tested anything.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from tests.stage.relay import Direction, Pair, Relay, finish
from tests.stage.rewrites import Rewrites

_Effect = Literal["act", "spare", "kill", "lose", "hold"]

_RECENT_BYTES = 1_024  # more than the longest text that tests look for


@dataclass(eq=False)
class _AtRequest:
    """What to do when the nth request with a text comes.

    Attributes:
        spared_text: Of requests whose connections are spared when others are cut; empty for none.
        spared: Those connections, so far.
    """

    text: bytes
    nth: int
    effect: _Effect
    act: Callable[[], object] | None = None
    spared_text: bytes = b""
    spared: set[Pair] = field(default_factory=set)


@dataclass(eq=False)
class _AtReply:
    """What to do when a reply with a text comes, once."""

    text: bytes
    act: Callable[[], object]


@dataclass(eq=False)
class _AtBytes:
    """Which connections to cut: those that have carried so many bytes in a direction, so many times or, None, all."""

    direction: Direction
    after: int
    times: int | None


def resp(*words: str | int) -> bytes:
    """Return a command and its first arguments as clients send them, without the count of words that comes before."""
    return b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in (str(word).encode() for word in words))


class FaultyLink(Relay):
    """A link to the server at a port of 127.0.0.1.

    Attributes:
        cuts: How many connections were cut by a fault.
        lost: The replies that `lose_reply` threw away.
    """

    def __init__(self, server_port: int) -> None:
        """Open the link, without faults."""
        self._held: list[tuple[socket.socket, bytes]] = []
        self._at_requests: list[_AtRequest] = []
        self._at_replies: list[_AtReply] = []
        self._at_bytes: list[_AtBytes] = []
        self._replied: dict[Pair, bytes] = {}  # the last bytes of replies, while any are waited for
        self._rewrites = Rewrites()
        self.cuts = 0
        self.lost: list[bytes] = []
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

    def at_reply(self, reply: bytes, act: Callable[[], object]) -> None:
        """Call `act` when a reply with this text has come from the server and only what came before it went on.

        For what depends on what the client knows: how many requests are under way by then depends on the machine.
        Where the text comes in two pieces the first one has gone on. Several in one piece come in the order of these
        calls.
        """

        def add() -> None:
            if not self._at_replies:
                self._replied.clear()
            self._at_replies.append(_AtReply(reply, act))

        self.order(add)

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

    def rewrite(self, request: bytes, replacement: bytes, *, nth: int = 1) -> None:
        """Send the nth request with this text on with another text in its place.

        With it one command of a transaction can be made to fail while the server carries out the others, for instance
        by a key that holds another type. What `at` calls for the same request may still order it.

        Args:
            request: Part of the request, found also when it comes in pieces. No request may end with its beginning:
                those bytes would be kept back for a rest that never comes.
            replacement: As long, so that the lengths in the request stay true.
            nth: Which of the requests with this text, from now on and over all connections.
        """
        assert len(replacement) == len(request), f"{replacement!r} has another length than {request!r}"
        self.order(lambda: self._rewrites.add(request, replacement, nth))

    def cut_after(self, direction: Direction, byte_count: int, *, times: int | None = 1) -> None:
        """Cut each connection once it has carried exactly so many bytes in a direction.

        Args:
            direction: Which bytes count.
            byte_count: How many of them go on.
            times: How many connections; None for every one, for ever, of which none need come.
        """
        self.order(lambda: self._at_bytes.append(_AtBytes(direction, byte_count, times)))

    def cut_others(self, request: bytes, *, nth: int = 1, spared_text: bytes = b"") -> None:
        """Cut every connection but the one on which the nth request with this text comes; the request goes on.

        Args:
            request: Part of the request.
            nth: Which of the requests with this text, from now on and over all connections.
            spared_text: Connections that sent it from now on are spared too; empty for none.
        """
        self._add(_AtRequest(request, nth, "spare", spared_text=spared_text))

    def cut(self) -> None:
        """Cut every connection now."""
        self.order(self._cut_all)

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
        if direction == "to_server":
            data = self._pass_requests(pair, data)
        elif self._at_replies:
            data = self._pass_replies(pair, data)
        if not data:
            return
        for rule in self._at_bytes:
            carried = pair.carried[direction]
            if rule.direction == direction and rule.times != 0 and carried + len(data) >= rule.after:
                rule.times = rule.times and rule.times - 1
                self.forward(pair, data[: max(0, rule.after - carried)], direction)
                self._cut(pair)
                return
        self.forward(pair, data, direction)

    def _pass_replies(self, pair: Pair, data: bytes) -> bytes:
        """Carry out what is due at replies, each when what came before it has gone on; return what is left to go on."""
        gone = self._replied.pop(pair, b"")
        self._replied[pair] = (gone + data)[-_RECENT_BYTES:]
        for rule in list(self._at_replies):
            before = gone[-len(rule.text) + 1 :]
            if (place := (before + data).find(rule.text)) >= 0:
                self._at_replies.remove(rule)
                place = max(0, place - len(before))
                self.forward(pair, data[:place], "to_client")
                rule.act()
                gone, data = (gone + data[:place]), data[place:]
        return data

    def _pass_requests(self, pair: Pair, data: bytes) -> bytes:
        """Carry out what is due at requests: acts, rewriting, faults; return the bytes that are still to go on."""
        due = []
        for rule in list(self._at_requests):
            rule.nth -= (pair.recent[-len(rule.text) + 1 :] + data).count(rule.text)
            if rule.spared_text and rule.spared_text in pair.recent + data:
                rule.spared.add(pair)
            if rule.nth <= 0:
                self._at_requests.remove(rule)
                due.append(rule)
        pair.recent = (pair.recent + data)[-_RECENT_BYTES:]
        for rule in due:
            if rule.act is not None:
                rule.act()
            if rule.effect == "spare":
                self._cut_all(but={pair, *rule.spared})
        data = self._rewrites.apply(pair, data)
        faults = [rule for rule in due if rule.effect not in {"act", "spare"}]
        for later in faults[1:]:  # the connection is gone by then: at the next such request instead
            later.nth = 1
            self._at_requests.append(later)
        for rule in faults[:1]:
            self._fail(pair, data, rule.effect)
        return b"" if faults else data

    def _fail(self, pair: Pair, data: bytes, effect: _Effect) -> None:
        """Cut a connection whose client has just sent these bytes, which the server may get or not."""
        if effect == "lose":
            pair.server.sendall(data)
        if effect == "hold":
            self._held.append((pair.server, data))
        self._cut(pair, keep_server=effect != "kill")
        if effect == "lose":
            self.lost.append(finish(pair.server))

    def _end(self) -> list[str]:
        """Close everything; return what was never used, once."""
        unused = [f"{rule.effect} at {rule.text!r}" for rule in self._at_requests]
        unused += [f"act at the reply {rule.text!r}" for rule in self._at_replies]
        unused += [
            f"{rule.times} cuts {rule.direction} after {rule.after} bytes" for rule in self._at_bytes if rule.times
        ]
        unused += self._rewrites.take_unused()
        unused += [f"held {data[:64]!r}" for _, data in self._held]
        for server, _ in self._held:
            server.close()
        self._at_requests, self._at_replies, self._at_bytes, self._held = [], [], [], []
        super().close()
        return unused

    def _cut(self, pair: Pair, *, keep_server: bool = False) -> None:
        self.cuts += 1
        self.drop(pair, keep_server=keep_server)

    def _cut_all(self, *, but: AbstractSet[Pair] = frozenset()) -> None:
        for pair in list(self.pairs):
            if pair not in but:
                self._cut(pair)

    def _add(self, rule: _AtRequest) -> None:
        self.order(lambda: self._at_requests.append(rule))
