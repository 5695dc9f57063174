"""redis-py's client for one server, with its errors translated: what `endpoint.at(key)` returns.

Commands and pipelines are used as redis-py's documentation shows them. Two things differ from a plain `redis.Redis`:
every error is one of `shared.errors`; and a transaction under WATCH whose connection is lost raises
`OutcomeUnknownError`. redis-py raises the WatchError of a conflict for that too, and whoever takes an unknown outcome
for a conflict carries the transaction out twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError, WatchError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.endpoint.checked_client import CheckedClient, ShapeChecked
from shared.endpoint.known_replies import STRANGE, most_bytes_asked, require_asked, strange
from shared.endpoint.translation import translate
from shared.errors import HandoverError, OutcomeUnknownError, TransientError

if TYPE_CHECKING:
    import redis
    from redis.connection import ConnectionInterface
    from redis.credentials import CredentialProvider

Command = tuple[str | bytes | int, ...]


class NodeClient(CheckedClient):
    """redis-py's client for one server, whose pool's connections retry nothing."""

    def __init__(
        self, pool: redis.ConnectionPool, where: str, provider: CredentialProvider | None, *, is_cluster: bool = False
    ) -> None:
        super().__init__(pool, provider)
        self.where = where  # the server, without password
        self.is_cluster = is_cluster  # whether it is a node of a cluster, where redirections are transient

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command once and return its reply."""
        try:
            return require_asked(args, super().execute_command(*args, **_bounded(args, options)))  # type: ignore[no-untyped-call]
        except RedisError as error:
            raise self.translated(error, args) from error

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> NodePipeline:
        """Return a pipeline on this server; a transaction by default."""
        return NodePipeline(self, transaction=transaction)

    def translated(self, error: Exception, command: Sequence[Any] = ()) -> HandoverError:
        """Translate one of redis-py's errors into ours; `command` tells its key."""
        return translate(error, self.where, is_cluster=self.is_cluster, key=key_of(command))


class NodePipeline(ShapeChecked, Pipeline):
    """redis-py's pipeline on one server."""

    def __init__(self, client: NodeClient, *, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self.where = client.where
        self._client = client
        self._is_transaction = transaction
        self._replies_read = 0  # since `execute` was called
        self._asked: list[Command] = []  # sent, and not answered yet

    @classmethod
    def that_has_asked(cls, client: NodeClient, connection: ConnectionInterface, sent: list[Command]) -> NodePipeline:
        """Return a pipeline on a connection on which `watch_and_ask` with these commands was sent and not answered."""
        pipeline = cls(client, transaction=True)
        pipeline.connection = connection  # type: ignore[assignment]  # as in `watch_and_ask`
        pipeline._asked = sent
        return pipeline

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send the gathered commands and return the replies in order; raise the first error among them, or leave it in.

        Raises:
            WatchError: A watched key had changed; nothing was carried out. Only `optimistic` catches it.
            OutcomeUnknownError: The connection was lost; whether a transaction was carried out is unknown.
            HandoverError: It was refused as a whole.
        """
        self._replies_read, commands = 0, [command for command, _ in self.command_stack]
        is_transaction, was_watching = self._is_transaction or self.explicit_transaction, self.watching
        try:
            replies: list[Any] = super().execute(raise_on_error=False)
        except WatchError as error:
            # the fault that redis-py was handling; after a conflict it is None, or a caller's
            lost = error.__context__
            if not isinstance(lost, (RedisConnectionError, RedisTimeoutError)):
                if not was_watching:
                    raise self._client.translated(strange("EXEC")) from error
                raise
            self._raise_unknown(lost)
        except STRANGE as error:  # redis-py looks into EXEC's reply as if it could only be a list
            raise self._client.translated(strange("EXEC")) from error
        except RedisError as error:
            if is_transaction and not isinstance(error, ResponseError):
                self._raise_unknown(error)
            place = self._replies_read - 1  # of the command whose reply could not be read, if one was
            asked = commands[place] if not is_transaction and 0 <= place < len(commands) else ()
            raise self._client.translated(error, asked) from error
        return self._with_errors(commands, replies, raise_on_error=raise_on_error)

    def _with_errors(self, commands: Sequence[Command], replies: list[Any], *, raise_on_error: bool) -> list[Any]:
        """Return replies with ours in place of redis-py's errors; raise the first of them, or leave it in."""
        for number, reply in enumerate(replies):
            try:
                require_asked(commands[number], reply)
            except ResponseError as error:
                reply = error  # noqa: PLW2901
            if isinstance(reply, Exception):
                replies[number] = self._client.translated(reply, commands[number])
                replies[number].__cause__ = reply
                if raise_on_error:
                    raise replies[number]
        return replies

    def parse_response(self, connection: ConnectionInterface, command_name: str, **options: Any) -> Any:
        """Return the next reply; the last of a transaction, EXEC's, is a list, nothing or an error."""
        self._replies_read += 1
        reply = super().parse_response(connection, command_name, **options)
        is_exec = command_name == "_" and self._replies_read == len(self.command_stack) + 2
        if is_exec and not isinstance(reply, list | None):
            raise TypeError(f"{type(reply).__name__} in place of a list")
        return reply

    def reply_commands(self, command_name: str) -> Iterable[str]:
        """Return the commands that the next reply may answer; redis-py calls those of a transaction `_`."""
        return (command[0] for command, _ in self.command_stack) if command_name == "_" else (command_name,)

    def pipeline_execute_command(self, *args: Any, **options: Any) -> NodePipeline:
        """Add a command to those that `execute` sends."""
        super().pipeline_execute_command(*args, **_bounded(args, options))
        return self

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command under WATCH at once and return its reply."""
        try:
            reply = super().immediate_execute_command(*args, **_bounded(args, options))  # type: ignore[no-untyped-call]
            return require_asked(args, reply)
        except WatchError as error:  # the connection is lost, and with it the watch; nothing was written
            lost = error.__context__ or error
            raise self._client.translated(lost if isinstance(lost, Exception) else error) from lost
        except RedisError as error:
            raise self._client.translated(error, args) from error

    def annotate_exception(self, exception: Exception, number: int, command: Sequence[Any]) -> None:
        """Leave an error as the server said it; redis-py would put the command's arguments before it."""

    def send_questions(self, names: Sequence[str], commands: Sequence[Command]) -> None:
        """Send WATCH and commands that read, without waiting; `watch_and_ask` with the same reads the replies."""
        asked: list[Command] = [("WATCH", *names), *commands]
        try:
            self.connection = connection = self.connection or self.connection_pool.get_connection()
            connection.send_packed_command(connection.pack_commands(asked))
        except RedisError as error:
            if self.connection is not None:
                self.connection.disconnect()
            raise self._client.translated(error, asked[0]) from error
        self._asked = asked

    def watch_and_ask(self, names: Sequence[str], commands: Sequence[Command]) -> list[Any]:
        """Send WATCH and commands that read, and return their replies: one round trip, where redis-py takes one each.

        What was asked before is not sent again. Raises the first error among the replies when all have been read.
        """
        sent: list[Command] = [("WATCH", *names), *commands]
        replies: list[Any] = []
        command = sent[0]
        if self._asked and self._asked != sent:
            self.reset()
        if not self._asked:
            self.send_questions(names, commands)
        connection: Any = self.connection  # on which they were sent
        try:
            for command in sent:
                try:
                    most = most_bytes_asked(command)
                    reply = self.parse_response(connection, str(command[0]), most_bytes=most)
                    replies.append(require_asked(command, reply))
                except ResponseError as error:
                    replies.append(error)
            self._asked = []
        except RedisError as error:
            if self.connection is not None:
                self.connection.disconnect()
            raise self._client.translated(error, command) from error
        for command, reply in zip(sent, replies, strict=True):
            if isinstance(reply, ResponseError):
                raise self._client.translated(reply, command) from reply
        return replies[1:]

    def reset(self) -> None:  # type: ignore[override]
        """Give the connection back; close one that is still watching and can't be told to stop, or has replies left."""
        if self._asked and self.connection is not None:
            self.connection.disconnect()
            self.watching = False
        self._asked = []
        try:
            super().reset()
        except RedisError:
            if self.connection is not None:
                self.connection.disconnect()
            self.watching = False
            super().reset()

    def _raise_unknown(self, error: Exception) -> NoReturn:
        """Raise what a lost connection means for a transaction; a refusal stays what it is."""
        ours = self._client.translated(error)
        if isinstance(ours, TransientError):
            raise OutcomeUnknownError(
                where=ours.where, expected=ours.expected, got=ours.got, advice=ours.advice, answered=ours.answered
            ) from error
        raise ours from error


def _bounded(command: Sequence[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a command with the bound of its reply, where that is not the one of all such commands."""
    return {"most_bytes": most_bytes_asked(command)} | options if command[0] == "HMGET" else options


def key_of(command: Sequence[Any]) -> str:
    """Return the key that an error about its type concerns; for a command without a key, any part or nothing."""
    parts = [part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else str(part) for part in command]
    position = {"EVAL": 3, "XREAD": 0, "XREADGROUP": 0}.get(parts[0], 1) if parts else 0
    if not position and "STREAMS" in parts:
        position = parts.index("STREAMS") + 1
    return parts[position] if 0 < position < len(parts) else ""
