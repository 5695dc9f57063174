"""Which permissions an endpoint grants us, found out without running a command that changes anything.

Each command is queued in a transaction that is never executed: the server checks permissions when it queues. Sending
commands with invalid arguments was rejected, because LPUSH, HSETNX and UNLINK have none that do no harm, and so was ACL
DRYRUN, because it needs a permission of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from redis.crc import key_slot

from shared.check.requirements import Requirement
from shared.endpoint.batch_connection import Reply, pack
from shared.endpoint.endpoint import Endpoint
from shared.errors import HandoverError, NotAllowedError, TransientError, UnknownCommandError
from shared.keys import Keyspace

ANY_TOKEN = "20261122T205801123Z-3f9a1c"  # noqa: S105 - stands for any run id or attempt, no secret
_WITH_SUBCOMMAND = ("XGROUP", "XINFO")
_NOT_QUEUED = ("MULTI", "EXEC", "WATCH", "UNWATCH")


@dataclass(frozen=True)
class Permission:
    """One command on one key."""

    command: tuple[str, ...]  # as it is sent, key included
    key: str  # the first key; empty for a command without one
    purpose: str
    is_needed: bool

    @property
    def name(self) -> str:
        """What people call the command, such as `LPUSH` or `XGROUP CREATE`."""
        return " ".join(self.command[: 2 if self.command[0] in _WITH_SUBCOMMAND else 1])


@dataclass(frozen=True)
class Answer:
    """What the server answered to a command that it was asked to queue."""

    permission: Permission
    error: HandoverError | None  # None when the server accepted the command

    @property
    def is_allowed(self) -> bool:
        """Whether we may send the command; any other error means that the permission check was passed."""
        return not isinstance(self.error, NotAllowedError) and not self.is_unknown

    @property
    def is_unknown(self) -> bool:
        """Whether the server has no such command, or has renamed it."""
        return isinstance(self.error, UnknownCommandError)


def permissions_of(requirements: Iterable[Requirement], keys: Keyspace) -> list[Permission]:
    """Return the permissions under a namespace, each once, with the first purpose that is named for it.

    Segments count twice: as `biglist` and as a numbered one, because an access rule may cover one of them alone.
    """
    found: dict[tuple[str, ...], Permission] = {}
    for requirement in requirements:
        for template in requirement.commands.split("; "):
            for command, key in _commands(template, keys):
                found.setdefault(command, Permission(command, key, requirement.purpose, requirement.is_needed))
    return list(found.values())


def ask_permissions(endpoint: Endpoint, keys: Keyspace, permissions: Iterable[Permission]) -> list[Answer]:
    """Return what the server answers to each command.

    If MULTI itself is denied, commands that can only be asked for inside a transaction are not reported.

    Redis: for each slot one connection with MULTI and the queued commands, pipelined and discarded; another one for
    the commands that can't be queued, which change nothing.
    """
    by_slot: dict[int, list[Permission]] = defaultdict(list)
    for permission in permissions:
        by_slot[key_slot((permission.key or keys.signals()).encode())].append(permission)
    answers: list[Answer] = []
    for group in by_slot.values():
        key = group[0].key or keys.signals()
        direct = [permission for permission in group if permission.command[0] in _NOT_QUEUED]
        direct.sort(key=lambda permission: permission.command[0] == "MULTI")  # last: what follows it would be queued
        answers += _ask(endpoint, key, direct, in_transaction=False)
        queued = [permission for permission in group if permission.command[0] not in _NOT_QUEUED]
        answers += _ask(endpoint, key, queued, in_transaction=True)
    return answers


def _ask(endpoint: Endpoint, key: str, permissions: list[Permission], *, in_transaction: bool) -> list[Answer]:
    answers: list[Answer] = []
    # more than one pass only if the server can't write now: then an answer closes the connection
    while len(answers) < len(permissions):
        left = permissions[len(answers) :]
        connection = endpoint.batch(key)
        try:
            if in_transaction and _error_of(connection.call, "MULTI") is not None:
                return answers
            connection.send(b"".join(pack(*permission.command) for permission in left), replies=len(left))
            for permission in left:
                answers.append(Answer(permission, _error_of(connection.read)))
                if not connection.is_open:
                    break
        finally:
            connection.close(keep=False)  # the transaction is never executed
    return answers


def _error_of(receive: Callable[..., Reply], *command: str) -> HandoverError | None:
    """Return the error that the server answers with; raise TransientError when it does not answer."""
    try:
        receive(*command)
    except TransientError as error:
        if not error.answered:
            raise
        return error
    except HandoverError as error:
        return error
    return None


def _commands(template: str, keys: Keyspace) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a command with its keys filled in, and the first of them, for segment 1 and for a numbered one."""
    parts = template.split(" ")
    for number in (1, 2):
        filled = [part.format_map(_key_names(keys, number)) for part in parts]
        key = next((name for name, part in zip(filled, parts, strict=True) if part.startswith("{")), "")
        yield tuple(filled), key


def _key_names(keys: Keyspace, number: int) -> dict[str, str]:
    segment = keys.segment(number)
    return {
        "user": keys.user("1"),
        "sku": keys.sku("sku123"),
        "cart": keys.cart("1"),
        "segment": segment,
        "state": keys.state(segment),
        "staging": keys.staging(segment, ANY_TOKEN),
        "run": keys.run(ANY_TOKEN),
        "result": keys.result(ANY_TOKEN),
        "signals": keys.signals(),
        "dead_letters": keys.dead_letters(),
        "consumer": keys.consumer("c"),
        "reading": keys.reading(),
        "canary": keys.canary(ANY_TOKEN),
    }
