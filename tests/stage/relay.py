"""A relay of TCP connections to a server on this host, in one thread, with a hook for what passes.

One thread serves all connections: what a test orders is carried out between two reads, so neither the relay nor its
faults need locks. When a connection ends, the server is told so and heard out before the next step: whatever had
reached it is then done.
"""

from __future__ import annotations

import queue
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Literal, Self

Direction = Literal["to_server", "to_client"]

_READ_BYTES = 65_536
_SEND_S = 30.0
_ORDER_S = 90.0  # longer than what a test lets the relay's thread wait for


@dataclass(eq=False)
class Pair:
    """One connection of a client's, and ours to the server for it.

    Attributes:
        carried: Bytes so far, by direction.
        recent: The last bytes that went to the server.
        kept_back: Bytes for the server that have come and did not go on yet.
    """

    client: socket.socket
    server: socket.socket
    carried: dict[Direction, int]
    recent: bytes = b""
    kept_back: bytes = b""


class Relay:
    """Forwards connections to the server at a port of 127.0.0.1; open until `close` or the end of its block.

    Attributes:
        port: Where clients connect.
        connections: How many have been accepted.
    """

    def __init__(self, server_port: int) -> None:
        """Open the relay."""
        self._server_port = server_port
        self._selector = selectors.DefaultSelector()
        self._wake, self._waking = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._orders: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.pairs: list[Pair] = []
        self.failures: list[BaseException] = []
        self._is_open = True
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Handle bytes that came; here they are forwarded."""
        self.forward(pair, data, direction)

    def opened(self, pair: Pair) -> None:
        """Note a new connection before anything is carried on it; a hook, which does nothing here."""

    def next_due_s(self) -> float | None:
        """Return in how many seconds at most `carry_due` must be called; None when there is nothing to wait for."""
        return None

    def carry_due(self) -> None:
        """Forward what `take` kept back and is due now; called after each round of reads. Here nothing is kept back."""

    def forward(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Send bytes on to the other end."""
        if pair in self.pairs:
            pair.carried[direction] += len(data)
            (pair.server if direction == "to_server" else pair.client).sendall(data)

    def drop(self, pair: Pair, *, keep_server: bool = False) -> None:
        """Close a connection; one whose server end is kept is for the caller to `finish`."""
        if pair in self.pairs:
            self.pairs.remove(pair)
            self._selector.unregister(pair.client)
            self._selector.unregister(pair.server)
            pair.client.close()
            if not keep_server:
                finish(pair.server)

    def order(self, order: Callable[[], object]) -> None:
        """Have the relay's thread carry something out, and wait for that."""
        if threading.current_thread() is self._thread:
            order()
            return
        done = threading.Event()

        def carry_out() -> None:
            try:
                order()
            finally:
                done.set()

        self._orders.put(carry_out)
        self._waking.send(b"\0")
        assert done.wait(_ORDER_S), "the relay does not answer"

    def lead_to(self, server_port: int) -> None:
        """Take new connections to another server from now on, as an address does that follows a failover."""
        self._server_port = server_port

    def refuse(self) -> None:
        """Refuse new connections from now on; the port has no listener any more."""

        def close() -> None:
            self._selector.unregister(self._listener)
            self._listener.close()

        self.order(close)

    def accept(self) -> None:
        """Take new connections again, at the same port."""

        def listen() -> None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._selector.register(self._listener, selectors.EVENT_READ)

        self.order(listen)

    def close(self) -> None:
        """Close the relay and everything on it; may be called twice. Raises what a hook of the test's own raised."""
        if self._thread.is_alive():
            self.order(lambda: setattr(self, "_is_open", False))
            self._thread.join()
        if self.failures:
            raise self.failures.pop()

    def __enter__(self) -> Self:
        """Return the relay."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _serve(self) -> None:
        while self._is_open:
            for key, _ in self._selector.select(self.next_due_s()):
                self._guard(partial(self._step, key))
            self._guard(self.carry_due)
        for pair in list(self.pairs):
            self.drop(pair)
        for closing in (self._listener, self._wake, self._waking):
            closing.close()
        self._selector.close()

    def _guard(self, step: Callable[[], object]) -> None:
        """Carry out a step of the relay's thread, which goes on whatever comes of it."""
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - `close` raises it in the test's own thread
            self.failures.append(error)

    def _step(self, key: selectors.SelectorKey) -> None:
        """Carry out one order, accept one connection, or carry what one end of a connection has sent."""
        if key.fileobj is self._wake:
            self._wake.recv(1)
            self._orders.get()()
        elif key.fileobj is self._listener:
            self._connect()
        elif key.data in self.pairs:
            pair: Pair = key.data
            try:
                is_client = key.fileobj is pair.client
                data = (pair.client if is_client else pair.server).recv(_READ_BYTES)
                if data:
                    self.take(pair, data, "to_server" if is_client else "to_client")
                else:
                    self.drop(pair)
            except OSError:
                self.drop(pair)

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        self.connections += 1
        pair = Pair(client, server, {"to_server": 0, "to_client": 0})
        self.pairs.append(pair)
        for end in (client, server):
            end.settimeout(_SEND_S)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, pair)
        self.opened(pair)


def finish(server: socket.socket) -> bytes:
    """Tell the server that no more comes, and return what it said until it closed: it has done all that came."""
    said = b""
    with server, suppress(OSError):
        server.shutdown(socket.SHUT_WR)
        while piece := server.recv(_READ_BYTES):
            said += piece
    return said
