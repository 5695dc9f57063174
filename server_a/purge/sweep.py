"""Goes through the keys with our names: counts what proves to be ours, or removes it.

Each removal is safe against a change after the look: the keys are watched, looked at and removed in one transaction, a
portion at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from redis.crc import key_slot

from server_a.purge.proofs import Unit
from shared.endpoint.batch_connection import BatchConnection, Reply, pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.known_replies import MANY_BYTES
from shared.endpoint.node_client import Command
from shared.errors import NotFinishedError, UnknownCommandError, WrongEndpointError, WrongKeyError

PORTION_UNITS = 500
MAX_CHANGES = 20


class Sweep:
    """Looks at units and, if it `removes`, removes what is proven; yields each unit with the keys that are ours."""

    def __init__(self, endpoint: Endpoint, *, removes: bool) -> None:
        self._endpoint = endpoint
        self._removes = removes
        self._by_slot = endpoint.kind.mode == "cluster"

    def go_through(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, list[str]]]:
        """Yield units with their keys that are ours; none for a unit that is somebody else's.

        Redis: WATCH and what each unit looks at in one round trip, MULTI UNLINK EXEC; 500 units together, in a cluster
        those of one slot.
        """
        iterator = iter(units)
        while portion := list(islice(iterator, PORTION_UNITS)):
            for group in self._groups(portion):
                yield from self._handled(group)

    def _groups(self, portion: Sequence[Unit]) -> list[list[Unit]]:
        groups: dict[object, list[Unit]] = {}
        for unit in portion:
            name: object = key_slot(unit.key.encode()) if self._by_slot else self._endpoint.node_of(unit.key)
            groups.setdefault(name, []).append(unit)
        return list(groups.values())

    def _handled(self, group: list[Unit]) -> Iterator[tuple[Unit, list[str]]]:
        for number in range(MAX_CHANGES):
            # after a change by others one at a time, so that a busy key does not hold up the others
            parts = [group] if number == 0 else [[unit] for unit in group]
            left: list[Unit] = []
            for part in parts:
                try:
                    found = self._once(part)
                except WrongEndpointError as error:
                    if self._by_slot or isinstance(error, (WrongKeyError, UnknownCommandError)):
                        raise
                    self._by_slot = True  # a cluster behind one address
                    for smaller in self._groups(part):
                        yield from self._handled(smaller)
                    continue
                if found is None:
                    left += part
                else:
                    yield from zip(part, found, strict=True)
            group = left
            if not group:
                return
        where, got = group[0].key, f"one that changed {MAX_CHANGES} times"
        raise NotFinishedError(where=where, expected="a key at rest", got=got, advice="run it again")

    def _once(self, group: Sequence[Unit]) -> list[list[str]] | None:
        """Return the keys of each unit that are ours, removed if they are to be; None if one has changed meanwhile."""
        with closing(self._endpoint.batch(group[0].key)) as connection:
            if self._removes:
                connection.send_watch(*(key for unit in group for key in unit.watched))
            proven = self._look(connection, group)
            doomed = [key for keys in proven for key in keys]
            if self._removes and connection.transaction(*(("UNLINK", key) for key in doomed)) is None and doomed:
                return None
        return proven

    def _look(self, connection: BatchConnection, group: Sequence[Unit]) -> list[list[str]]:
        commands = [command for unit in group for command in unit.look]
        connection.send(b"".join(pack(*command) for command in commands), replies=len(commands))
        if self._removes:
            connection.read()
        # all replies are read first: a proof may ask for more, on connections of its own
        connection.limit_replies(MANY_BYTES)
        replies = [[_reply(connection, command) for command in unit.look] for unit in group]
        others = self._others(group, replies)
        return [
            [] if _is_of_other_type(found) else unit.proven(found if wanted is None else [*found, wanted])
            for unit, found, wanted in zip(group, replies, others, strict=True)
        ]

    def _others(self, group: Sequence[Unit], replies: Sequence[Sequence[Reply]]) -> list[list[str] | None]:
        """Return for each unit which keys that its proof depends on are not ours; None where it depends on none.

        All are asked for together: a database may hold a million carts.
        """
        wanted = [
            None if unit.others is None or _is_of_other_type(found) else unit.others(found)
            for unit, found in zip(group, replies, strict=True)
        ]
        if not any(wanted):
            return [None] * len(group)
        from server_a.purge.shop import not_ours  # decimal numbers take a while to import

        foreign = not_ours(self._endpoint, {key: fields for each in wanted if each for key, fields in each.items()})
        return [None if each is None else [key for key in each if key in foreign] for each in wanted]


def _is_of_other_type(replies: Sequence[Reply]) -> bool:
    return any(isinstance(reply, WrongKeyError) for reply in replies)


def _reply(connection: BatchConnection, command: Command) -> Reply:
    """Return the next reply, or the error that the key is of another type."""
    try:
        return connection.read_to(command)
    except WrongKeyError as error:
        return error
