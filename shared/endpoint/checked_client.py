"""redis-py's client with the shape and the size of each reply checked; its errors are still redis-py's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import redis

from shared.endpoint.bounded_parser import FEW_BYTES, limit_replies
from shared.endpoint.known_replies import STRANGE, checked, most_bytes_of, strange

if TYPE_CHECKING:
    from redis.connection import ConnectionInterface
    from redis.credentials import CredentialProvider


class ShapeChecked:
    """A mixin for redis-py's client and pipeline: a reply of another shape, or size, than its command has is an error.

    It is an error in its place, so that the replies behind it are read.
    """

    def parse_response(
        self, connection: ConnectionInterface, command_name: str, *, most_bytes: int = 0, **options: Any
    ) -> Any:
        """Return the next reply, of so many bytes at most, or of as many as the command's may have."""
        most = most_bytes or max(map(most_bytes_of, self.reply_commands(command_name)), default=FEW_BYTES)
        limit_replies(connection, most)
        try:
            return super().parse_response(connection, command_name, **options)  # type: ignore[misc]
        except STRANGE as error:
            raise strange(command_name) from error

    def reply_commands(self, command_name: str) -> Iterable[str]:
        """Return the commands that the next reply may answer."""
        return (command_name,)


class CheckedClient(ShapeChecked, redis.Redis):
    """redis-py's client for one server; errors are still redis-py's."""

    def __init__(self, pool: redis.ConnectionPool, provider: CredentialProvider | None = None) -> None:
        # with the provider redis-py hands renewed tokens to the connections that are open
        super().__init__(connection_pool=pool, credential_provider=provider)
        self.response_callbacks.update(checked(self.response_callbacks))
