"""Many small writes, 1,000 a batch, two batches in flight, each to the server that holds its key."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, closing

from shared.endpoint.batch_connection import BatchConnection, pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command

BATCH_COMMANDS = 1_000
WINDOW_BATCHES = 2


class _Lane:
    """One server's connection, the commands gathered for it, and the keys of each batch in flight."""

    def __init__(self, connection: BatchConnection) -> None:
        self._connection = connection
        self._gathered: list[Command] = []
        self._in_flight: deque[list[str]] = deque()

    def add(self, command: Command) -> None:
        self._gathered.append(command)
        if len(self._gathered) == BATCH_COMMANDS:
            self.send_batch()
            self.read_batches(leave=WINDOW_BATCHES - 1)

    def send_batch(self) -> None:
        self._connection.send(b"".join(pack(*command) for command in self._gathered), replies=len(self._gathered))
        self._in_flight.append([str(command[1]) for command in self._gathered])
        self._gathered = []

    def read_batches(self, *, leave: int) -> None:
        while len(self._in_flight) > leave:
            for key in self._in_flight.popleft():
                self._connection.read(key=key)


def send_pipelined(endpoint: Endpoint, commands: Iterable[Command]) -> None:
    """Send commands in pipelines and see that each succeeds.

    Args:
        endpoint: Where to send them.
        commands: Each with its key as the second element.

    Raises:
        TransientError: A connection was lost; which commands were carried out is unknown. Begin again: right for
            commands that set absolute values.

    Redis:
        One round trip for each 1,000 commands to a server, two in flight.
    """
    lanes: dict[str, _Lane] = {}
    with ExitStack() as connections:
        for command in commands:
            key = str(command[1])
            node = endpoint.node_of(key)
            if node not in lanes:
                lanes[node] = _Lane(connections.enter_context(closing(endpoint.batch(key))))
            lanes[node].add(command)
        for lane in lanes.values():
            lane.send_batch()
        for lane in lanes.values():
            lane.read_batches(leave=0)
