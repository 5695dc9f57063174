"""Many questions of one kind that don't depend on each other, past redis-py's pipelines.

Those pack and unpack each command for itself, which made most of what a look at 100,000 segments took: four times what
the server and hiredis take together.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from shared.endpoint.batch_connection import Reply, pack
from shared.endpoint.known_replies import most_bytes_asked

if TYPE_CHECKING:
    from shared.endpoint.endpoint import Endpoint


def ask_many(endpoint: Endpoint, commands: Sequence[tuple[str, ...]]) -> list[Reply]:
    """Return the replies to commands, each on the key that is its first argument, in their order and as they come.

    Replies are those of RESP2, without redis-py's callbacks; their shapes are checked. The first error is raised, and
    the connection that it came on is closed, since the replies behind it are not read.

    Redis: all commands of a server in one round trip.
    """
    places: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        places.setdefault(endpoint.node_of(command[1]), []).append(place)
    replies: list[Any] = [None] * len(commands)
    for found in places.values():
        asked = [commands[place] for place in found]
        for place, reply in zip(found, _ask(endpoint, asked), strict=True):
            replies[place] = reply
    return replies


def _ask(endpoint: Endpoint, asked: Sequence[tuple[str, ...]]) -> list[Reply]:
    """Return the replies of one server."""
    with closing(endpoint.batch(asked[0][1])) as connection:
        connection.limit_replies(max(map(most_bytes_asked, asked)))
        connection.send(b"".join(pack(*command) for command in asked), replies=len(asked))
        return connection.checked(asked, connection.read_many(len(asked), key_at=lambda place: asked[place][1]))
