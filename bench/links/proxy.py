"""The delaying proxy, as a process: `python -m bench.links.proxy SERVER_PORT DELAY_MS BYTES_PER_S`.

It prints the port it listens on and carries connections to the server until it is killed. One thread serves them all: a
thread for each direction was rejected, since they would take the interpreter from each other. `select` and not `epoll`,
which waits in whole milliseconds from Python and would add up to one in each direction.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from bench.links.delay_line import Carrier, DelayLine

_READ_BYTES = 256 * 1024
_CONNECT_S = 10.0


@dataclass(eq=False)
class End:
    """One end of a connection: its socket, and what is on its way to it.

    Attributes:
        line: The bytes for this end.
        other: The end at the other side.
        is_full: Whether the socket takes no more for now.
        has_ended: Whether it has got the end of what the other side sends.
    """

    socket: socket.socket
    line: DelayLine
    other: End = field(init=False)
    is_full: bool = False
    has_ended: bool = False
    is_reading: bool = True

    @property
    def events(self) -> int:
        """What to wait for."""
        reading = selectors.EVENT_READ if self.is_reading else 0
        return reading | (selectors.EVENT_WRITE if self.is_full else 0)


class DelayingProxy:
    """Carries connections to a server on this host, each byte half of the round trip late."""

    def __init__(self, server_port: int, *, delay_s: float, bytes_per_s: int) -> None:
        """Listen.

        Args:
            server_port: The server's, on 127.0.0.1.
            delay_s: Added to a round trip, half in each direction.
            bytes_per_s: What each direction carries, for all connections together; 0: no limit.
        """
        self._server_port = server_port
        self._one_way_s = delay_s / 2
        self._carriers = Carrier(bytes_per_s), Carrier(bytes_per_s)  # to clients, to the server
        self._selector = selectors.SelectSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ends: set[End] = set()
        self.port: int = self._listener.getsockname()[1]

    def set_delay(self, delay_s: float) -> None:
        """Change what is added to a round trip, for what comes from now on, also on open connections."""
        self._one_way_s = delay_s / 2
        for end in self._ends:
            end.line.delay_s = self._one_way_s

    def serve(self) -> None:
        """Carry until the process is killed."""
        while True:
            for key, events in self._selector.select(self._wait_s()):
                if key.fileobj is self._listener:
                    self._connect()
                elif key.data in self._ends:
                    self._handle(key.data, events)
            for end in [end for end in self._ends if not end.is_full]:
                self._deliver(end)

    def _wait_s(self) -> float | None:
        """Return how long there is nothing to deliver; None when nothing is on its way."""
        times = [at_s for end in self._ends if not end.is_full and (at_s := end.line.arrives_at()) is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port), _CONNECT_S)
        except OSError:
            client.close()
            return
        lines = [DelayLine(carrier, delay_s=self._one_way_s) for carrier in self._carriers]
        ends = [End(side, line) for side, line in zip((client, server), lines, strict=True)]
        for end, other in (ends, ends[::-1]):
            end.other = other
            end.socket.settimeout(0)
            end.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end.socket, end.events, end)
            self._ends.add(end)

    def _handle(self, end: End, events: int) -> None:
        """Read what an end has sent, and note that it takes bytes again."""
        if events & selectors.EVENT_WRITE:
            end.is_full = False
            self._watch(end)
        if events & selectors.EVENT_READ:
            try:
                data = end.socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._close(end)
                return
            end.other.line.put(data, time.monotonic())
            if not data:
                end.is_reading = False
                self._watch(end)

    def _deliver(self, end: End) -> None:
        """Send an end what has arrived for it."""
        now_s = time.monotonic()
        while end in self._ends and not end.is_full and (piece := end.line.take(now_s)) is not None:
            if not piece:
                self._end(end)
                return
            try:
                sent = end.socket.send(piece)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._close(end)
                return
            if sent < len(piece):
                end.line.give_back(piece[sent:])
                end.is_full = True
                self._watch(end)

    def _end(self, end: End) -> None:
        """Tell an end that no more comes; close the connection when both know."""
        end.has_ended = True
        with suppress(OSError):
            end.socket.shutdown(socket.SHUT_WR)
        if end.other.has_ended:
            self._close(end)

    def _watch(self, end: End) -> None:
        """Have the selector wait for what this end needs now."""
        if end.socket in self._selector.get_map():
            self._selector.unregister(end.socket)
        if end.events:
            self._selector.register(end.socket, end.events, end)

    def _close(self, end: End) -> None:
        """Close both ends of a connection, and lose what is on its way."""
        for side in (end, end.other):
            self._ends.discard(side)
            if side.socket in self._selector.get_map():
                self._selector.unregister(side.socket)
            side.socket.close()


def main() -> None:
    """Serve."""
    server_port, delay_ms, bytes_per_s = sys.argv[1:]
    proxy = DelayingProxy(int(server_port), delay_s=float(delay_ms) / 1_000, bytes_per_s=int(bytes_per_s))
    print(proxy.port, flush=True)
    proxy.serve()


if __name__ == "__main__":
    main()
