"""One connection on which a command is sent once and its reply is ours to read.

redis-py's client and pipelines were rejected for whatever must not happen twice: they may send a whole pipeline again
after a lost reply (redis-py #261, #977, #2851, #3554). They also pack values one by one, which costs more than the
server's work. The connection below them has neither fault, and redis-py still does TLS, authentication and parsing.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from shared.endpoint.translation import translate, translated
from shared.errors import ConnectionLostError, HandoverError

if TYPE_CHECKING:
    from redis.connection import ConnectionInterface

PIECE_BYTES = 64 * 1024

Reply = Any
"""A reply of RESP2: bytes, an int, None, or a list of these; what it is depends on the command alone."""


class Wire:
    """A connection to one server; after the first fault it stays dead, and nothing is sent on it again."""

    def __init__(self, connection: ConnectionInterface, where: str, *, is_cluster: bool = False) -> None:
        """Connect.

        Args:
            connection: Not connected, not shared, such as `new_connection` makes.
            where: The endpoint as people may see it.
            is_cluster: Whether it is a node of a cluster, where redirections are transient.

        Raises:
            ConnectionLostError: Nobody answers.
            NotAllowedError: Wrong password or certificate.
        """
        self._connection = connection
        self._where = where
        self._is_cluster = is_cluster
        self._is_open = True
        with translated(where, is_cluster=is_cluster):
            connection.connect()

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._is_open

    def pack(self, *command: str | bytes | int) -> bytes:
        """Return a command in the form the protocol sends it."""
        # hiredis's own function: redis-py's method comes to the same bytes in four times the time
        packed: bytes = pack_command(command)  # type: ignore[arg-type]
        return packed

    def send(self, packed: bytes) -> None:
        """Send packed commands without waiting for their replies; the caller reads one reply each.

        Raises:
            ConnectionLostError: The connection is lost; whether the commands were carried out is unknown.
        """
        self._require_open()
        try:
            self._connection.send_packed_command(_pieces(packed), check_health=False)
        except RedisError as error:
            self.close()
            raise self._translate(error) from error
        except BaseException:
            self.close()
            raise

    def read(self, *, key: str | bytes | int = "") -> Reply:
        """Return the next reply, of RESP2: bytes, int, None or a list of these.

        Args:
            key: What its command is about, for the error when that holds something of another type.

        Raises:
            ConnectionLostError: The connection is lost, or given up since its server can't do the work now.
            HandoverError: The reply is another error; the connection goes on.
        """
        self._require_open()
        try:
            return self._connection.read_response(disable_decoding=True)
        except RedisError as error:
            ours = self._translate(error, key)
            if isinstance(ours, ConnectionLostError) or not isinstance(error, ResponseError):
                self.close()
            raise ours from error
        except BaseException:
            self.close()
            raise

    def call(self, *command: str | bytes | int) -> Reply:
        """Send one command and return its reply."""
        self.send(self.pack(*command))
        return self.read(key=command[1] if len(command) > 1 else "")

    def transaction(self, *commands: tuple[str | bytes | int, ...]) -> list[Reply] | None:
        """Carry out commands in one MULTI/EXEC and return their replies; None when a watched key had changed.

        Raises:
            HandoverError: A command was refused while it was queued (then none is carried out) or failed inside EXEC.
        """
        packed = [self.pack("MULTI"), *(self.pack(*command) for command in commands), self.pack("EXEC")]
        self.send(b"".join(packed))
        return self.read_transaction(len(commands), keys=[command[1] for command in commands])

    def read_transaction(self, commands: int, *, keys: Sequence[str | bytes | int] = ()) -> list[Reply] | None:
        """Read the replies of a transaction of so many commands and return EXEC's.

        Args:
            commands: How many were sent between MULTI and EXEC.
            keys: What each is about, for the error when that holds something of another type.

        Raises:
            HandoverError: The first error among them; all replies have been read by then.
        """
        first_error: HandoverError | None = None
        reply: Reply = None
        for _ in range(commands + 2):
            try:
                reply = self.read()
            except ConnectionLostError:
                raise
            except HandoverError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        for number, part in enumerate(reply or []):
            if isinstance(part, Exception):
                raise self._translate(part, keys[number] if keys else "") from part
        return reply  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self._is_open = False
        self._connection.disconnect()

    def _require_open(self) -> None:
        # redis-py would connect again by itself, and commands of one attempt would mix with another's
        if not self._is_open:
            raise ConnectionLostError(where=self._where, expected="an open connection", got="a closed one")

    def _translate(self, error: Exception, key: str | bytes | int = "") -> HandoverError:
        # called only after a fault: a context manager around each read would cost as much as the read itself
        return translate(error, self._where, is_cluster=self._is_cluster, key=str(key))

    def __enter__(self) -> Self:
        """Return the wire itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()


def _pieces(packed: bytes) -> list[bytes]:
    """Return what is sent in pieces that a slow link takes within the socket's timeout, which is for each of them."""
    if len(packed) <= PIECE_BYTES:
        return [packed]
    return [packed[start : start + PIECE_BYTES] for start in range(0, len(packed), PIECE_BYTES)]
