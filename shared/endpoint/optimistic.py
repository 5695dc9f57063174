"""Optimistic transactions: WATCH what a decision rests on, look, then MULTI … EXEC, and again when somebody was faster.

The only place that catches redis-py's WatchError. A lost reply is no conflict: `OutcomeUnknownError` is left to the
caller, who knows how to find out what happened.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from redis.exceptions import WatchError

from shared.endpoint.node_client import NodeClient, NodePipeline
from shared.errors import NotFinishedError

T = TypeVar("T")

LIMIT_S = 10.0
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05
_ELEMENT_TRIES = 5

Step = Callable[[NodePipeline], object]
"""Adds one command to a pipeline."""


def optimistic(client: NodeClient, watched: Sequence[str], attempt: Callable[[NodePipeline], T]) -> T:
    """Return what an attempt under WATCH comes to, attempting it anew for as long as others change what is watched.

    Args:
        client: The server that holds the keys.
        watched: The keys.
        attempt: Gets a pipeline that is watching: what it asks comes at once. It calls `multi`, adds its commands and
            calls `execute`; or returns without, when there is nothing to do.

    Raises:
        NotFinishedError: Others kept changing the keys for 10 seconds.
        OutcomeUnknownError: The connection was lost with the transaction under way.
        TransientError: It was lost before.

    Redis:
        WATCH, what `attempt` sends, UNWATCH when it sends no transaction.
    """
    give_up_at = time.monotonic() + LIMIT_S
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            with client.pipeline() as pipeline:
                pipeline.watch(*watched)
                return attempt(pipeline)
        except WatchError as error:
            if time.monotonic() >= give_up_at:
                where = f"{watched[0]} at {client.where}"
                raise NotFinishedError(
                    where=where, expected="a moment without changes by others", got=f"none in {LIMIT_S:g} s"
                ) from error
            time.sleep(random.uniform(0, pause_s))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def execute_all(client: NodeClient, pipeline: NodePipeline, groups: Sequence[Sequence[Step]]) -> list[Any]:
    """Carry out commands in one transaction, see that each was, and return their replies.

    EXEC stops at no error and rolls nothing back, so each element of its reply is looked at. What failed is sent again:
    an entry whose acknowledgement went through must not lose its verdict.

    Args:
        client: Where.
        pipeline: Watching what the decision rests on.
        groups: Commands, those together that are sent again when one of them failed: a time to live is nothing without
            the key it belongs to.

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
