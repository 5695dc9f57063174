"""Questions that don't depend on each other, sent together: one round trip for each server concerned.

On a cluster redis-py's own pipeline is not used: it sends what failed again, even with retries off (redis-py #3554).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from shared.endpoint.node_client import NodePipeline
from shared.errors import WrongKeyError

if TYPE_CHECKING:
    from shared.endpoint.endpoint import Endpoint

T = TypeVar("T")

PORTION_KEYS = 1_000


@dataclass(eq=False)
class Together:
    """Gathers commands in one redis-py pipeline for each server; each `at` is followed by exactly one command.

    asked = Together(endpoint)
    asked.at(first).hget(first, "1")
    asked.at(second).llen(second)
    value, length = asked.send()
    """

    endpoint: Endpoint
    _pipelines: dict[str, NodePipeline] = field(init=False, default_factory=dict)
    _asked: list[str] = field(init=False, default_factory=list)

    def at(self, key: str) -> NodePipeline:
        """Return the pipeline of the server that holds a key, for one command."""
        node = self.endpoint.node_of(key)
        if node not in self._pipelines:
            self._pipelines[node] = self.endpoint.at(key).pipeline(transaction=False)
        self._asked.append(node)
        return self._pipelines[node]

    def send(self, *, raise_on_error: bool = True) -> list[Any]:
        """Send all of it and return the replies in the order asked; raise the first error among them, or leave it."""
        replies = {node: iter(pipeline.execute(raise_on_error)) for node, pipeline in self._pipelines.items()}
        return [next(replies[node]) for node in self._asked]


def portions(keys: Iterable[T]) -> Iterator[list[T]]:
    """Yield the keys, a thousand at a time: what is asked together."""
    iterator = iter(keys)
    while portion := list(islice(iterator, PORTION_KEYS)):
        yield portion


def without_errors(replies: list[Any]) -> list[Any]:
    """Return replies that `send` left errors in, unless there are any: raise the first."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies


def ask_each(
    endpoint: Endpoint,
    keys: Iterable[str],
    ask: Callable[[NodePipeline, str], object],
    *,
    skip_wrong_type: bool = False,
) -> Iterator[tuple[str, Any]]:
    """Yield each key with the reply to the command that `ask` adds for it, a thousand keys a round trip.

    With `skip_wrong_type`, keys of another type, which are somebody else's, are left out instead of raising.
    """
    for portion in portions(keys):
        asked = Together(endpoint)
        for key in portion:
            ask(asked.at(key), key)
        for key, reply in zip(portion, asked.send(raise_on_error=not skip_wrong_type), strict=True):
            if isinstance(reply, WrongKeyError):
                continue
            if isinstance(reply, Exception):
                raise reply
            yield key, reply
