"""Which rights an endpoint grants us, found out without running anything and without a right to ask.

Each command is queued in a transaction that is never executed: the server checks rights when it queues. Sending
commands with invalid arguments was rejected, since LPUSH, HSETNX and UNLINK have none that do no harm, and ACL DRYRUN
since it needs a right of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from redis.crc import key_slot

from shared.check.requirements import Need
from shared.endpoint.batch_connection import BatchConnection, Reply, pack
from shared.endpoint.endpoint import Endpoint
from shared.errors import (
    HandoverError,
    NotAllowedError,
    TransientError,
    UnknownCommandError,
)
from shared.keys import Keyspace

_TOKEN = "20261122T205801123Z-3f9a1c"  # noqa: S105 - stands for any run id or attempt, no secret
_WITH_SUBCOMMAND = ("XGROUP", "XINFO")
_NOT_QUEUED = ("MULTI", "EXEC", "WATCH", "UNWATCH")


@dataclass(frozen=True)
class Right:
    """One command on one key.

    Attributes:
        command: As it is sent, key included.
        key: The first key; empty for a command without.
    """

    command: tuple[str, ...]
    key: str
    purpose: str
    is_needed: bool

    @property
    def name(self) -> str:
        """What people call the command, such as `LPUSH` or `XGROUP CREATE`."""
        return " ".join(self.command[: 2 if self.command[0] in _WITH_SUBCOMMAND else 1])


@dataclass(frozen=True)
class Answer:
    """What the server said to one right: None when it took the command, else its error."""

    right: Right
    error: HandoverError | None

    @property
    def is_allowed(self) -> bool:
        """Whether we may send the command on the key; any other error comes after that was decided."""
        return not isinstance(self.error, NotAllowedError) and not self.is_unknown

    @property
    def is_unknown(self) -> bool:
        """Whether the server has no such command, or none of this name any more."""
        return isinstance(self.error, UnknownCommandError)


def rights_of(needs: Iterable[Need], keys: Keyspace) -> list[Right]:
    """Return the rights under a namespace, each once, with the first purpose that is named for it.

    Segments count twice: as `biglist` and as one of those behind it, whose names have a number.
    """
    found: dict[tuple[str, ...], Right] = {}
    for need in needs:
        for form in need.forms:
            for command, key in _commands(form, keys):
                found.setdefault(command, Right(command, key, need.purpose, need.is_needed))
    return list(found.values())


def ask_rights(endpoint: Endpoint, keys: Keyspace, rights: Iterable[Right]) -> list[Answer]:
    """Return what the server says to the rights; without the one to MULTI those that need asking inside are left out.

    Raises:
        TransientError: The connection is lost; ask again.

    Redis:
        For each slot a connection with MULTI and the commands, pipelined, queued and thrown away; one more for those
        that can't be queued, which do nothing by themselves.
    """
    by_slot: dict[int, list[Right]] = defaultdict(list)
    for right in rights:
        by_slot[key_slot((right.key or keys.signals()).encode())].append(right)
    answers: list[Answer] = []
    for group in by_slot.values():
        key = group[0].key or keys.signals()
        direct = [right for right in group if right.command[0] in _NOT_QUEUED]
        queued = [right for right in group if right.command[0] not in _NOT_QUEUED]
        direct.sort(key=lambda right: right.command[0] == "MULTI")  # whatever follows it would be queued
        answers += _ask(endpoint, key, direct, in_transaction=False)
        answers += _ask(endpoint, key, queued, in_transaction=True)
    return answers


def _ask(endpoint: Endpoint, key: str, rights: list[Right], *, in_transaction: bool) -> list[Answer]:
    """Ask for each right; a server that can't write now ends our connection, which is an answer to one of them."""
    answers: list[Answer] = []
    while len(answers) < len(rights):
        left = rights[len(answers) :]
        connection = endpoint.batch(key)
        try:
            if in_transaction and _refuses_multi(connection):
                return answers
            connection.send(b"".join(pack(*right.command) for right in left), replies=len(left))
            answers += _read_answers(connection, left)
        finally:
            connection.close(keep=False)  # a transaction is never executed
    return answers


def _refuses_multi(connection: BatchConnection) -> bool:
    return _error_of(lambda: connection.call("MULTI")) is not None


def _read_answers(connection: BatchConnection, rights: list[Right]) -> Iterator[Answer]:
    for right in rights:
        yield Answer(right, _error_of(connection.read))
        if not connection.is_open:
            return


def _error_of(receive: Callable[[], Reply]) -> HandoverError | None:
    """Return the error that a server answers with; raise when it does not answer."""
    try:
        receive()
    except TransientError as error:
        if not error.answered:
            raise
        return error
    except HandoverError as error:
        return error
    return None


def _commands(form: str, keys: Keyspace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a form with its keys filled in, and the first of them."""
    parts = form.split(" ")
    for number in (1, 2):
        filled = [part.format_map(_names(keys, number)) for part in parts]
        key = next((name for name, part in zip(filled, parts, strict=True) if part.startswith("{")), "")
        yield tuple(filled), key


def _names(keys: Keyspace, number: int) -> dict[str, str]:
    """Return a key of each kind, of segments that with a number."""
    segment = keys.segment(number)
    return {
        "user": keys.user("1"),
        "sku": keys.sku("sku123"),
        "cart": keys.cart("1"),
        "segment": segment,
        "state": keys.state(segment),
        "staging": keys.staging(segment, _TOKEN),
        "run": keys.run(_TOKEN),
        "result": keys.result(_TOKEN),
        "signals": keys.signals(),
        "dead_letters": keys.dead_letters(),
        "canary": keys.canary(_TOKEN),
    }
