"""The baseline: a plain socket, commands that were encoded before the clock started, replies that nobody looks into.

This is as fast as one connection from Python goes, so a ratio to it says what all the rest costs: making values,
digesting, checking replies, parsing, verifying. redis-benchmark was rejected as baseline: it can't send our values.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis

from shared.digest import block_digest

BATCH_VALUES = 1_000
_RECEIVE_BYTES = 256 * 1024
_TIMEOUT_S = 60.0
_INCOMPLETE = object()


@dataclass(frozen=True)
class Request:
    """Encoded commands and the bytes of their replies together."""

    commands: bytes
    reply_bytes: int


def encode(*parts: str | bytes | int) -> bytes:
    """Return a command in the form the protocol sends it."""
    raw = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(raw) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in raw])


def push_requests(key: str, first: int, end: int) -> list[Request]:
    """Return the LPUSHes that write the numbers from `first` up to but not including `end`, 1,000 a command."""
    requests = []
    for start in range(first, end, BATCH_VALUES):
        stop = min(start + BATCH_VALUES, end)
        requests.append(Request(encode("LPUSH", key, *range(start, stop)), len(b":%d\r\n" % (stop - first))))
    return requests


def read_requests(key: str, first: int, end: int) -> list[Request]:
    """Return the LRANGEs that read what `push_requests` wrote, from the head, 1,000 a command."""
    count = end - first
    requests = []
    for start in range(0, count, BATCH_VALUES):
        stop = min(start + BATCH_VALUES, count)
        reply = encode(*range(end - stop, end - start))  # an array of bulk strings, as a command is
        requests.append(Request(encode("LRANGE", key, start, stop - 1), len(reply)))
    return requests


def hash_requests(commands: Iterable[Sequence[str]], *, batch_commands: int = 1_000) -> list[Request]:
    """Return HSETs of new hashes, so many a request; each hash has fewer than ten fields."""
    packed = [encode(*command) for command in commands]
    starts = range(0, len(packed), batch_commands)
    batches = [packed[start : start + batch_commands] for start in starts]
    return [Request(b"".join(batch), len(batch) * len(b":2\r\n")) for batch in batches]


class RawSocket:
    """One TCP connection to a server on this machine."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(_RECEIVE_BYTES))

    def exchange(self, requests: Sequence[Request], *, in_flight: int) -> float:
        """Send requests, so many in flight, drain the replies, and return the seconds that took.

        Raises:
            ConnectionError: The server closed the connection.
            TimeoutError: Fewer bytes came than expected: some reply was an error.
        """
        return self._exchange(requests, self._receive, in_flight=in_flight)

    def collect(self, requests: Sequence[Request], *, in_flight: int) -> tuple[float, bytearray]:
        """Do the same, and return the seconds and all bytes that came, for looking into them after the clock stopped.

        Raises:
            ConnectionError: The server closed the connection.
            TimeoutError: Fewer bytes came than expected.
        """
        kept = bytearray(sum(request.reply_bytes for request in requests))
        rest = memoryview(kept)

        def receive() -> int:
            nonlocal rest
            received = self._receive(rest[:_RECEIVE_BYTES])
            rest = rest[received:]
            return received

        return self._exchange(requests, receive, in_flight=in_flight), kept

    def _exchange(self, requests: Sequence[Request], receive: Callable[[], int], *, in_flight: int) -> float:
        send = self._socket.sendall
        total = sum(request.reply_bytes for request in requests)
        received = expected = answered = 0
        started = time.perf_counter()
        for number, request in enumerate(requests):
            while number - answered >= in_flight:
                received += receive()
                while answered < number and received >= expected + requests[answered].reply_bytes:
                    expected += requests[answered].reply_bytes
                    answered += 1
            send(request.commands)
        while received < total:
            received += receive()
        return time.perf_counter() - started

    def digest(self, requests: Sequence[Request], *, in_flight: int) -> float:
        """Send requests for lists, parse and digest the replies, and return the seconds that took.

        This is the least that verifying costs in Python: hiredis, join and BLAKE2b, with nobody looking at the result.
        """
        reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        started = time.perf_counter()
        for request in requests[:in_flight]:
            self._socket.sendall(request.commands)
        for number in range(len(requests)):
            while (values := reader.gets()) is _INCOMPLETE:
                reader.feed(self._buffer[: self._receive()])  # type: ignore[arg-type]  # it takes any buffer
            if number + in_flight < len(requests):
                self._socket.sendall(requests[number + in_flight].commands)
            values.reverse()
            block_digest(b"\n".join(values))
        return time.perf_counter() - started

    def ask(self, *commands: Sequence[str | bytes | int]) -> list[Any]:
        """Send commands in one go and return their replies as hiredis parses them, an error as `hiredis.ReplyError`."""
        self._socket.sendall(b"".join([encode(*command) for command in commands]))
        replies, _reply_bytes = self._parsed(len(commands))
        return replies

    def rehearse(self, commands: Sequence[Sequence[str | bytes | int]]) -> Request:
        """Send commands that shall be sent again with a clock running, and return them with the length of the replies.

        Raises:
            RuntimeError: A reply is an error.
        """
        encoded = b"".join([encode(*command) for command in commands])
        self._socket.sendall(encoded)
        replies, reply_bytes = self._parsed(len(commands))
        errors = [str(reply) for reply in replies if isinstance(reply, hiredis.ReplyError)]
        if errors:
            raise RuntimeError(f"{commands[0][0]!s}: expected no error, got {errors[0]}")
        return Request(encoded, reply_bytes)

    def _parsed(self, count: int) -> tuple[list[Any], int]:
        """Return the next replies and how many bytes they were; nothing else may be under way."""
        reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        replies: list[Any] = []
        reply_bytes = 0
        while len(replies) < count:
            if (reply := reader.gets()) is _INCOMPLETE:
                received = self._receive()
                reply_bytes += received
                reader.feed(self._buffer[:received])  # type: ignore[arg-type]  # it takes any buffer
            else:
                replies.append(reply)
        return replies, reply_bytes

    def _receive(self, into: memoryview | None = None) -> int:
        """Take what has come and return how many bytes that was."""
        received = self._socket.recv_into(self._buffer if into is None else into)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received

    def call(self, *parts: str | bytes | int) -> str:
        """Send one command and return its one-line reply."""
        self._socket.sendall(encode(*parts))
        reply = b""
        while not reply.endswith(b"\r\n"):
            reply += self._socket.recv(1_024)
        return reply.decode().strip()

    def version(self) -> str:
        """Return which server it is, such as `Valkey 9.1.2`."""
        (text,) = self.ask(("INFO", "server"))
        facts = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
        name = "valkey" if "valkey_version" in facts else "redis"
        return f"{name.capitalize()} {facts[f'{name}_version']}"

    def empty_server(self) -> None:
        """Remove all data before returning, so that no thread of the server frees memory while a clock runs."""
        self.call("FLUSHALL", "SYNC")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
