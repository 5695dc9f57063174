"""Questions that don't depend on each other, sent together: one round trip for each server concerned.

One redis-py pipeline for each server, and the replies in the order in which the questions were asked. On a cluster
redis-py's own pipeline was rejected: it sends what failed again, even with retries off (redis-py #3554).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.endpoint.node_client import NodePipeline
from shared.errors import WrongKeyError

if TYPE_CHECKING:
    from shared.endpoint.endpoint import Endpoint

PORTION_KEYS = 1_000


class Together:
    """Gathers commands that redis-py's pipelines send together.

    Each `at` is followed by exactly one command:

        asked = Together(endpoint)
        asked.at(first).hget(first, "1")
        asked.at(second).llen(second)
        value, length = asked.send()
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Ask at an endpoint."""
        self._endpoint = endpoint
        self._pipelines: dict[str, NodePipeline] = {}
        self._asked: list[str] = []

    def at(self, key: str) -> NodePipeline:
        """Return the pipeline of the server that holds a key, for one command."""
        node = self._endpoint.node_of(key)
        if node not in self._pipelines:
            self._pipelines[node] = self._endpoint.at(key).pipeline(transaction=False)
        self._asked.append(node)
        return self._pipelines[node]

    def send(self, *, raise_on_error: bool = True) -> list[Any]:
        """Send all of it and return the replies in the order asked.

        Args:
            raise_on_error: Whether to raise the first error among the replies; else each stands in its place.

        Raises:
            TransientError: A connection was lost; ask again.
            HandoverError: A command was refused.
        """
        replies = {node: iter(pipeline.execute(raise_on_error)) for node, pipeline in self._pipelines.items()}
        return [next(replies[node]) for node in self._asked]


def ask_each(
    endpoint: Endpoint,
    keys: Iterable[str],
    ask: Callable[[NodePipeline, str], object],
    *,
    skip_wrong_type: bool = False,
) -> Iterator[tuple[str, Any]]:
    """Yield each key with the reply to one command about it, a thousand keys a round trip.

    Args:
        endpoint: Where.
        keys: About which to ask.
        ask: Adds one command about a key to a pipeline.
        skip_wrong_type: Leave out keys that hold another type instead of raising: somebody else's.

    Raises:
        TransientError: A connection was lost; ask again.
        HandoverError: A command was refused.
    """
    iterator = iter(keys)
    while portion := list(islice(iterator, PORTION_KEYS)):
        asked = Together(endpoint)
        for key in portion:
            ask(asked.at(key), key)
        for key, reply in zip(portion, asked.send(raise_on_error=not skip_wrong_type), strict=True):
            if isinstance(reply, WrongKeyError):
                continue
            if isinstance(reply, Exception):
                raise reply
            yield key, reply
