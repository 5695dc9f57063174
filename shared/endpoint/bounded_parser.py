"""hiredis's parser with what it lacks: a limit of bytes, of elements and of time for each reply.

redis-py's time-out is for one recv, so that one byte a second keeps it waiting for ever, and hiredis buffers what is
announced, of any size. What is checked here is checked only where a reply is not complete yet: the replies of a batch,
of which thousands come in one recv, cost nothing more.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from hiredis import PushNotification, Reader
from redis._parsers.hiredis import NOT_ENOUGH_DATA, _HiredisParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.endpoint.huge_arrays import HugeArrays
from shared.endpoint.strange_replies import ReplyLimitError

if TYPE_CHECKING:
    from redis.connection import ConnectionInterface

FEW_BYTES = 1024 * 1024
LEAST_BYTES_PER_S = 8 * 1024  # a thirtieth of a slow link's: several connections may share one
MOST_ARRAYS = 500_000  # of a reply: an empty one has four bytes, and takes twenty times that as an object
MOST_LINES = 5_000_000  # of a long reply, each of which may be an object
_LONG_BYTES = 8 * 1024 * 1024  # below that, lines are not worth counting
REPLY_S = 10.0  # for a reply of any size, besides the time that its bytes have at that rate
Reply = Any
_AS_BYTES = False  # the argument of hiredis's `gets`: no decoding
_CLOSED = "Connection closed by server."


class BoundedParser(_HiredisParser):
    """Reads replies of a connection; what goes beyond a bound ends that.

    Attributes:
        most_bytes: Of a reply; more are never held.
    """

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]
        self.most_bytes = FEW_BYTES
        self._huge = HugeArrays()
        self._held = b""  # the last bytes that came, which the reader has not got yet

    def on_connect(self, connection: object, **arguments: object) -> None:
        """Begin with a new connection."""
        super().on_connect(connection, **arguments)  # type: ignore[no-untyped-call]
        self.most_bytes, self._huge, self._held = FEW_BYTES, HugeArrays(), b""

    def can_read(self, timeout: float = 0) -> bool:
        """Tell whether something has come."""
        return bool(self._held) or super().can_read(timeout)

    def read_response(self, **_: object) -> Reply:  # type: ignore[override]
        """Return the next reply in bytes, also an error that it is; redis-py's options are for what we don't ask for.

        Raises:
            InvalidResponse: What came is no reply, or longer than it may be.
            redis.TimeoutError: It came too slowly, or not at all.
        """
        reader = self._reader
        if reader is None:  # another thread has closed it
            raise RedisConnectionError(_CLOSED)
        try:
            reply = reader.gets(_AS_BYTES)
            if reply is NOT_ENOUGH_DATA:
                reply = self._wait(reader)
        except (RedisError, OSError):
            raise
        except Exception as error:  # of hiredis: MemoryError, or TypeError where a list is the key of a map
            raise InvalidResponse(f"a reply that can't be read: {type(error).__name__}") from error
        if isinstance(reply, RedisConnectionError):
            raise reply
        if isinstance(reply, list):
            if isinstance(reply, PushNotification):
                raise InvalidResponse("a push message, which nobody has asked for")
            if reply and isinstance(reply[0], RedisConnectionError):
                raise reply[0]
        return self._huge.put_back(reply) if self._huge.masked else reply

    def _wait(self, reader: Reader) -> Reply:
        """Return the next reply when all of it has come."""
        received, began_s, lines, arrays = 0, monotonic(), 0, self._huge.seen
        while True:
            size = self._receive(reader)
            received += size
            if received > _LONG_BYTES:
                lines += self._buffer.count(b"\r\n", 0, size)
            reply = reader.gets(_AS_BYTES)
            if reply is not NOT_ENOUGH_DATA:
                return reply
            if received > self.most_bytes:
                raise ReplyLimitError(f"a reply of more than {self.most_bytes:,} bytes")
            if lines > MOST_LINES or self._huge.seen - arrays > MOST_ARRAYS:
                raise ReplyLimitError("a reply of too many elements")
            took_s = monotonic() - began_s
            if took_s > REPLY_S + received / LEAST_BYTES_PER_S:
                raise RedisTimeoutError(f"a reply that is not complete after {took_s:.0f} s")

    def _receive(self, reader: Reader) -> int:
        """Give the reader what comes next, and return how many bytes came."""
        connection, held = self._sock, len(self._held)
        if connection is None:
            raise RedisConnectionError(_CLOSED)
        self._buffer[:held] = self._held
        try:
            size: int = connection.recv_into(memoryview(self._buffer)[held:] if held else self._buffer)
        except TimeoutError as error:
            raise RedisTimeoutError("Timeout reading from socket") from error
        if not size:
            raise RedisConnectionError(_CLOSED)
        going = self._huge.mask(self._buffer, held + size)
        self._held = bytes(self._buffer[going : held + size]) if going < held + size else b""
        reader.feed(self._buffer, 0, going)  # type: ignore[arg-type]
        return size


def limit_replies(connection: ConnectionInterface, most_bytes: int) -> None:
    """Take replies of so many bytes at most on a connection of our pools."""
    connection._parser.most_bytes = most_bytes  # type: ignore[attr-defined]  # noqa: SLF001 - as redis-py has it
