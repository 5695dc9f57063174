"""One connection on which commands are sent in batches, ahead of their replies, and each reply is ours to read.

Only for what moves many values: segment writer, segment reader, the shop's pipelines. redis-py's client and pipelines
pack values one by one, which costs more than the server's work, and wait for a whole pipeline's replies before they
send the next. The connection comes from the client's pool, so redis-py does TLS, login, parsing and renewed tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from shared.endpoint.bounded_parser import FEW_BYTES, limit_replies
from shared.endpoint.flights import Flights
from shared.endpoint.known_replies import require_shape, strange
from shared.endpoint.node_client import Command, NodeClient, NodePipeline
from shared.endpoint.strange_replies import StrangeReplyError
from shared.endpoint.window import Window
from shared.errors import HandoverError, TransientError

PIECE_BYTES = 64 * 1024

Reply = Any
"""A reply of RESP2: bytes, an int, None, or a list of these; what it is depends on the command alone."""


def pack(*command: str | bytes | int) -> bytes:
    """Return a command in the form the protocol sends it; redis-py's method takes four times the time."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]
    return packed


class BatchConnection:
    """A connection to one server; after the first fault it stays closed, and nothing is sent on it again.

    Whoever sends ahead gives the bytes that go or come (`flight_bytes`) and asks `flights.has_room` before.

    Attributes:
        flights: What is in flight on it.
    """

    def __init__(self, client: NodeClient, window: Window | None = None) -> None:
        self._client = client
        self._is_watching = False
        self._asked: list[Command] = []
        self.is_open = True
        try:
            self._connection = client.connection_pool.get_connection()
            self.limit_replies(FEW_BYTES)
        except RedisError as error:
            raise client.translated(error) from error
        self.flights = Flights(window or Window())

    def send(self, packed: bytes, *, replies: int, flight_bytes: int = 0) -> None:
        """Send packed commands, one behind the other, without waiting; the caller then reads so many replies.

        `flight_bytes` are what the window counts until the last of these replies is read; 0 counts nothing.

        Raises TransientError if the connection is lost; whether the commands were carried out is unknown.
        """
        self._require_open()
        self.flights.sent(flight_bytes, replies=replies)
        # the socket's timeout is for each piece, so that a slow link gets through with it
        pieces = [packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES)]
        try:
            self._connection.send_packed_command(pieces, check_health=False)
        except RedisError as error:
            self._lose()
            raise self._client.translated(error) from error
        except BaseException:
            self.close()
            raise

    def read(self, *, key: str = "") -> Reply:
        """Return the next reply; an error about a key of another type names `key`.

        Raises:
            TransientError: The connection is lost, or closed because its server can't do the work now.
            HandoverError: The reply is another error; the connection goes on.
        """
        return self.read_many(1, key_at=lambda _place: key)[0]

    def read_many(self, replies: int, *, key_at: Callable[[int], str]) -> list[Reply]:
        """Return the next replies, each to a command on the key that `key_at` tells by its place.

        It takes half the time of a call of `read` for each. The first error is raised, as by `read`; what comes behind
        it is not read.
        """
        found, error = self.read_on(replies, key_at)
        if error is not None:
            raise error
        return found

    def read_on(self, replies: int, key_at: Callable[[int], str]) -> tuple[list[Reply], HandoverError | None]:
        """Return the next replies, and the error that came in place of another one, behind which nothing is read.

        Raises TransientError as `read` does.
        """
        self._require_open()
        found: list[Reply] = []
        read_response = self._connection.read_response
        try:
            for _ in range(replies):
                found.append(read_response(disable_decoding=True))  # noqa: PERF401 - an error's place is counted
        except RedisError as error:
            ours = self._client.translated(error, ("", key_at(len(found))))
            if isinstance(ours, TransientError) or not isinstance(error, ResponseError):
                self._lose()
                raise ours from error
            self.flights.answered(len(found) + 1)
            ours.__cause__ = error
            return found, ours
        except BaseException:
            self.close(keep=False)
            raise
        self.flights.answered(len(found))
        return found, None

    def is_readable(self, *, wait_s: float = 0.0) -> bool:
        """Tell whether a reply has come, at least its beginning, or comes within so many seconds.

        Raises TransientError if the connection is lost.
        """
        self._require_open()
        try:
            return bool(self._connection.can_read(wait_s))
        except RedisError as error:
            self._lose()
            raise self._client.translated(error) from error

    def call(self, *command: str | bytes | int) -> Reply:
        """Send one command and return its reply."""
        self.send(pack(*command), replies=1)
        return self.read_to(command)

    def read_to(self, command: Command) -> Reply:
        """Return the reply to a command, of which so much is known that its shape can be checked."""
        return self.checked([command], [self.read(key=str(command[1]) if len(command) > 1 else "")])[0]

    def checked(self, commands: Iterable[Command], replies: list[Reply]) -> list[Reply]:
        """Return the replies to commands, when they have their shapes."""
        try:
            for command, reply in zip(commands, replies, strict=True):
                require_shape(command, reply)
        except StrangeReplyError as error:
            raise self._client.translated(error) from error
        return replies

    def send_watch(self, *keys: str) -> None:
        """Watch keys until the next transaction, without waiting; the caller reads the reply."""
        self._is_watching = True
        self.send(pack("WATCH", *keys), replies=1)

    def watch_and_ask(self, names: Sequence[str], commands: Sequence[Command]) -> None:
        """Send WATCH and commands that read behind all else; nothing more is sent here. See `to_pipeline`.

        Raises TransientError if the connection is lost.
        """
        self._is_watching, self._asked = True, [("WATCH", *names), *commands]
        self.send(b"".join(pack(*command) for command in self._asked), replies=0)

    def to_pipeline(self) -> NodePipeline:
        """Return a pipeline that goes on with this connection, when only what `watch_and_ask` asked is not answered.

        Of a connection that was lost meanwhile nothing is said here: whoever reads the answers meets it.
        """
        assert self._asked, "watch_and_ask comes before"
        assert not self.flights.replies_left, "the replies before are read first"
        self.is_open = False
        self.flights.abandon()
        return NodePipeline.that_has_asked(self._client, self._connection, self._asked)

    def transaction(self, *commands: Command) -> list[Reply] | None:
        """Carry out commands in one MULTI/EXEC and return their replies; None when a watched key had changed.

        Raises HandoverError if a command was refused while it was queued (then none is carried out) or failed in EXEC.
        """
        self.send_transaction(*commands)
        keys = [str(command[1]) if len(command) > 1 else "" for command in commands]
        replies = self.read_transaction(len(commands), keys=keys)
        return self.checked(commands, replies) if replies is not None else None

    def send_transaction(self, *commands: Command) -> None:
        """Send commands as one MULTI/EXEC without waiting for the replies; see `read_transaction`."""
        packed = [pack("MULTI"), *(pack(*command) for command in commands), pack("EXEC")]
        self.send(b"".join(packed), replies=len(packed))

    def read_transaction(self, commands: int, *, keys: Sequence[str] = ()) -> list[Reply] | None:
        """Read the replies of a transaction of so many commands and return EXEC's.

        Raises the first error among them when all have been read; one about a key of another type names its key.
        """
        try:
            reply = self._last_of(commands + 2)
        finally:
            self._is_watching = False
        if reply is not None and (type(reply) is not list or len(reply) != commands):
            raise self.strange("EXEC")
        for number, part in enumerate(reply or []):
            if isinstance(part, Exception):
                raise self._client.translated(part, ("", keys[number] if number < len(keys) else "")) from part
        return reply

    def _last_of(self, replies: int) -> Reply:
        """Return the last of so many replies; raise the first error when all have been read."""
        left, last, first_error = replies, None, None
        while left:
            found, error = self.read_on(left, lambda _place: "")
            left -= len(found) + (error is not None)
            last, first_error = found[-1] if found else None, first_error or error
        if first_error is not None:
            raise first_error
        return last

    def limit_replies(self, most_bytes: int) -> None:
        """Take replies of so many bytes at most from now on; at first that is few."""
        limit_replies(self._connection, most_bytes)

    def strange(self, command: str) -> HandoverError:
        """Return the error for a reply that is not what the command's documentation says."""
        return self._client.translated(strange(command))

    def close(self, *, keep: bool = True) -> None:
        """Give the connection back to its pool, closed if anything is in flight on it; a second time does nothing.

        It is not kept (`keep`) after a MULTI without EXEC: the next user of the connection would add to it.
        """
        if not self.is_open:
            return
        self.is_open = False
        self.flights.abandon()
        if self.flights.replies_left or self._is_watching or not keep:
            self._connection.disconnect()
        self._client.connection_pool.release(self._connection)

    def _lose(self) -> None:
        """Close a connection that is lost."""
        self.flights.lose()
        self.close(keep=False)

    def _require_open(self) -> None:
        # redis-py would connect again by itself, and commands of one attempt would mix with another's
        if not (self.is_open and self._connection.is_connected):
            raise TransientError(where=self._client.where, expected="an open connection", got="a closed one")
