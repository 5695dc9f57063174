"""Many small commands in batches, sent ahead of their replies, to all servers of an endpoint at once.

Commands come packed and replies are taken a batch at a time: redis-py's pipelines cost more for each command than the
server's work, and wait for all replies before they send the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.endpoint.batch_connection import BatchConnection, Reply
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_shapes import is_number


@dataclass(eq=False)
class SentBatch:
    """A batch on its way to a server."""

    server: str
    commands: int
    key_at: Callable[[int], str]  # the key of each command, by its place
    replies: list[Reply] | None = None  # None until all of them are read


@dataclass(eq=False)
class Pipelines:
    """Sends batches to the servers of their keys, over one connection to each, as far ahead as its link needs.

    All commands answer with numbers. Errors are those of `BatchConnection`; after one it is unknown which of the
    commands under way were carried out.
    """

    endpoint: Endpoint
    on_replies: Callable[[], None]  # called when a batch is answered; may raise
    _lanes: dict[str, tuple[BatchConnection, deque[SentBatch]]] = field(init=False, default_factory=dict)

    def send(self, packed: bytes, *, commands: int, key_at: Callable[[int], str]) -> SentBatch:
        """Send packed commands, whose keys one server holds; first read replies until the window has room for them."""
        server = self.endpoint.node_of(key_at(0))
        if server not in self._lanes:
            self._lanes[server] = self.endpoint.batch(key_at(0)), deque()
        connection, under_way = self._lanes[server]
        while not connection.flights.has_room(len(packed)):
            self._read_next(server)
        connection.send(packed, replies=commands, flight_bytes=len(packed))
        batch = SentBatch(server, commands, key_at)
        under_way.append(batch)
        return batch

    def replies_to(self, batch: SentBatch) -> list[Reply]:
        """Return the replies to a batch, after reading those to all that was sent before it to the same server."""
        while batch.replies is None:
            self._read_next(batch.server)
        return batch.replies

    def drain(self) -> None:
        """Read all replies that are under way."""
        for server, (_, under_way) in self._lanes.items():
            while under_way:
                self._read_next(server)

    def close(self) -> None:
        """Give the connections back, closed where replies are under way."""
        for connection, _ in self._lanes.values():
            connection.close()

    def _read_next(self, server: str) -> None:
        connection, under_way = self._lanes[server]
        batch = under_way.popleft()
        replies = connection.read_many(batch.commands, key_at=batch.key_at)
        if not all(map(is_number, replies)):
            raise connection.strange("EXISTS and HSET")
        batch.replies = replies
        self.on_replies()
