"""Many small writes in pipelines, each to the server that holds its key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack, closing

from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command

BATCH_COMMANDS = 1_000


def send_pipelined(endpoint: Endpoint, commands: Iterable[Command]) -> None:
    """Send commands in pipelines and see that each succeeds; each has its key as the second element.

    Raises TransientError if a connection was lost; which commands were carried out is then unknown. The caller sends
    all of them again, which is right for commands that set absolute values.

    Redis: One round trip for each 1,000 commands to a server; two are in flight to each, and all servers work at once.
    """
    by_node: dict[str, list[Command]] = defaultdict(list)
    for command in commands:
        by_node[endpoint.node_of(str(command[1]))].append(command)
    with ExitStack() as stack:
        lanes = []
        for found in by_node.values():
            batches = [found[start : start + BATCH_COMMANDS] for start in range(0, len(found), BATCH_COMMANDS)]
            lanes.append((stack.enter_context(closing(endpoint.batch(str(found[0][1])))), batches))
        for number in range(max((len(batches) for _, batches in lanes), default=0) + 1):
            for connection, batches in lanes:
                if number < len(batches):
                    batch = batches[number]
                    connection.send(b"".join(pack(*command) for command in batch), replies=len(batch))
            for connection, batches in lanes:
                if 0 < number <= len(batches):
                    for command in batches[number - 1]:
                        connection.read(key=str(command[1]))
