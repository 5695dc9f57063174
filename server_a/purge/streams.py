"""The two streams: the signals, removed last because they prove lists, and before them the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.endpoint.published import LOOK_BACK
from shared.keys import Keyspace
from shared.ownership import is_letter, is_signal
from shared.signal import CONSUMER_GROUP

Decision = Callable[[list[Any], list[bytes]], bool]
"""Tells from a stream's entries and the names of its groups whether it is ours."""


def go_through_streams(endpoint: Endpoint, keys: Keyspace, *, removes: bool) -> Iterator[tuple[str, str, bool]]:
    """Yield kind, name and whether it is ours of each of the two streams that exists, removed if it is to be.

    An empty stream of signals is ours if our group is in it, an empty one of dead letters if nobody has a group there
    and the signals beside it are ours.

    Redis: WATCH, TYPE, XREVRANGE, XINFO GROUPS, then MULTI UNLINK EXEC, for each; where the newest entry is none of
    ours XREVRANGE and XRANGE of a hundred.
    """
    signals, dead = keys.signals(), keys.dead_letters()
    is_ours = _decide(endpoint, signals, _is_signals, removes=False)
    letters = _decide(
        endpoint, dead, lambda found, groups: _is_dead(found, groups, is_beside_ours=bool(is_ours)), removes=removes
    )
    if letters is not None:
        yield "dead_letters", dead, letters
    if removes:
        is_ours = _decide(endpoint, signals, _is_signals, removes=True)
    if is_ours is not None:
        yield "signals", signals, is_ours


def _is_signals(entries: list[Any], groups: list[bytes]) -> bool:
    return any(is_signal(fields) for _, fields in entries) if entries else CONSUMER_GROUP.encode() in groups


def _is_dead(entries: list[Any], groups: list[bytes], *, is_beside_ours: bool) -> bool:
    return any(is_letter(fields) for _, fields in entries) if entries else is_beside_ours and not groups


def _decide(endpoint: Endpoint, stream: str, is_ours: Decision, *, removes: bool) -> bool | None:
    """Return whether a stream is ours, and remove it then if it is to be; None where there is none."""

    def attempt(pipeline: NodePipeline) -> bool | None:
        kind = cast("bytes", pipeline.type(stream))
        if kind != b"stream":
            return None if kind == b"none" else False
        newest = cast("list[Any]", pipeline.xrevrange(stream, count=1))  # enough as a rule; one may be large
        groups: Any = pipeline.xinfo_groups(stream)
        names = [group["name"] for group in groups]
        found = is_ours(newest, names)
        if newest and not found:
            pages = (pipeline.xrevrange(stream, count=LOOK_BACK), pipeline.xrange(stream, count=LOOK_BACK))
            found = is_ours([entry for page in pages for entry in cast("list[Any]", page)], names)
        if found and removes:
            pipeline.multi()
            pipeline.unlink(stream)
            pipeline.execute()
        return found

    return optimistic(endpoint.at(stream), [stream], attempt)
