"""Many questions whose replies are small where keys are ours, and of any size where they are somebody else's.

A name of ours may hold 100 MB of others. No command tells the size of a reply before it comes, and a pipeline keeps all
that came: so replies are taken a few at a time, and what is too long is let go before the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.endpoint.batch_connection import BatchConnection, Reply, pack
from shared.errors import LongReplyError, WrongKeyError

if TYPE_CHECKING:
    from shared.endpoint.endpoint import Endpoint
    from shared.endpoint.node_client import Command

_TAKEN = 50  # replies at a time, each of which may have a connection's buffer beyond its bound


def ask_small(
    endpoint: Endpoint, commands: Sequence[Command], *, most_bytes: int, skip_wrong_type: bool = True
) -> list[Reply]:
    """Return the replies to commands as `ask_many` does, None for one of more bytes.

    It is None, too, where a key has another type, unless that is to be raised. A reply that is far too long costs its
    connection: what is behind it is asked again.

    Redis: all commands of a server in one round trip, and two more for each reply that is far too long.
    """
    places: dict[str, list[int]] = {}
    for place, command in enumerate(commands):
        places.setdefault(endpoint.node_of(str(command[1])), []).append(place)
    asking = _Asking(endpoint, commands, most_bytes, skip_wrong_type)
    for found in places.values():
        asking.ask(found)
    return asking.replies


@dataclass
class _Asking:
    endpoint: Endpoint
    commands: Sequence[Command]
    most_bytes: int
    skip_wrong_type: bool
    replies: list[Reply] = field(init=False)
    _taken: int = field(init=False, default=0)  # of the replies of one connection

    def __post_init__(self) -> None:
        self.replies = [None] * len(self.commands)

    def ask(self, places: list[int]) -> None:
        """Ask one server."""
        alone = 0  # how many are read one by one, since one among them is too long
        while places:
            self._taken = 0
            is_alone = False
            try:
                with closing(self.endpoint.batch(str(self.commands[places[0]][1]))) as connection:
                    self._take(connection, places, alone)
            except LongReplyError:
                is_alone = self._taken < alone
                alone = alone - self._taken - 1 if is_alone else _TAKEN
            places = places[self._taken + is_alone :]

    def _take(self, connection: BatchConnection, places: list[int], alone: int) -> None:
        connection.limit_replies(self.most_bytes)
        connection.send(b"".join(pack(*self.commands[place]) for place in places), replies=len(places))
        while self._taken < len(places):
            size = 1 if self._taken < alone else _TAKEN
            some = places[self._taken : self._taken + size]
            asked = [self.commands[place] for place in some]
            keys = [str(command[1]) for command in asked]
            found, error = connection.read_on(len(some), keys.__getitem__)
            connection.checked(asked[: len(found)], found)
            for place, reply in zip(some, found, strict=False):
                self.replies[place] = reply if _bytes_of(reply) <= self.most_bytes else None
            self._taken += len(found)
            if error is not None:
                if not (self.skip_wrong_type and isinstance(error, WrongKeyError)):
                    raise error
                self._taken += 1


def _bytes_of(reply: Reply) -> int:
    if isinstance(reply, list):
        return sum(map(_bytes_of, reply))
    return len(reply) if isinstance(reply, bytes) else 0
