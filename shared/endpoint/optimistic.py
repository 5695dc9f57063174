"""Optimistic transactions: WATCH the keys that a decision depends on, read them, MULTI … EXEC; again after a conflict.

Only this module catches redis-py's WatchError. A lost reply is no conflict: the caller gets `OutcomeUnknownError` and
knows how to find out what happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import Any, TypeVar

from redis.exceptions import WatchError

from shared.endpoint.node_client import Command, NodeClient, NodePipeline
from shared.endpoint.retry import growing_pauses
from shared.errors import NotFinishedError

T = TypeVar("T")

LIMIT_S = 10.0
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05
_ELEMENT_TRIES = 5

Step = Callable[[NodePipeline], object]
"""Adds one command to a pipeline."""


def optimistic(client: NodeClient, watched: Sequence[str], attempt: Callable[[NodePipeline], T]) -> T:
    """Return the result of an attempt under WATCH, which is repeated while others change the watched keys.

    `attempt` gets a watching pipeline, which sends each command at once. It calls `multi`, adds its commands and calls
    `execute`; or returns without, when there is nothing to do.

    Raises:
        NotFinishedError: Others kept changing the keys for 10 seconds.
        OutcomeUnknownError: The connection was lost with the transaction under way.

    Redis: WATCH, what `attempt` sends, UNWATCH when it sends no transaction.
    """

    def attempt_watching(pipeline: NodePipeline) -> T:
        pipeline.watch(*watched)
        return attempt(pipeline)

    return _repeat(client, watched, attempt_watching)


def optimistic_on(
    client: NodeClient,
    watched: Sequence[str],
    questions: Sequence[Command],
    attempt: Callable[[NodePipeline, list[Any]], T],
    *,
    asked: NodePipeline | None = None,
    on_conflict: Callable[[], object] = lambda: None,
) -> T:
    """Do as `optimistic` with questions that are sent together with WATCH; `attempt` gets their replies too.

    The first attempt is on `asked`, on which they were sent before. `on_conflict` is called before each repetition.
    """

    def ask_and_attempt(pipeline: NodePipeline) -> T:
        return attempt(pipeline, pipeline.watch_and_ask(watched, questions))

    return _repeat(client, watched, ask_and_attempt, on_conflict, asked)


def _repeat(
    client: NodeClient,
    watched: Sequence[str],
    attempt: Callable[[NodePipeline], T],
    on_conflict: Callable[[], object] = lambda: None,
    first: NodePipeline | None = None,
) -> T:
    give_up_at = time.monotonic() + LIMIT_S
    pauses = growing_pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S)
    while True:
        try:
            with closing(first or client.pipeline()) as pipeline:
                return attempt(pipeline)
        except WatchError as error:
            if time.monotonic() >= give_up_at:
                where, expected = f"{watched[0]} at {client.where}", "a moment without changes by others"
                raise NotFinishedError(where=where, expected=expected, got=f"none in {LIMIT_S:g} s") from error
            first = None
            on_conflict()
            time.sleep(next(pauses))


def execute_all(client: NodeClient, pipeline: NodePipeline, groups: Sequence[Sequence[Step]]) -> list[Any]:
    """Execute groups of commands in one transaction and return the replies; send a group again when one in it failed.

    EXEC stops at no error and rolls nothing back: after a partial failure the entry may be acknowledged without its
    verdict. A group is what must succeed together, such as a key and its time to live.

    Raises:
        WatchError: A watched key had changed; nothing was carried out.
        OutcomeUnknownError: The connection was lost.
        HandoverError: One of the commands failed five times.
    """
    pipeline.multi()
    replies: list[list[Any]] = [[] for _ in groups]
    left = list(range(len(groups)))
    for number in range(_ELEMENT_TRIES):
        if number:
            pipeline = client.pipeline()
        for index in left:
            for step in groups[index]:
                step(pipeline)
        found = iter(pipeline.execute(raise_on_error=False))
        for index in left:
            replies[index] = list(islice(found, len(groups[index])))
        left = [index for index in left if any(isinstance(reply, Exception) for reply in replies[index])]
        if not left:
            return list(chain.from_iterable(replies))
    raise next(reply for reply in replies[left[0]] if isinstance(reply, Exception))
