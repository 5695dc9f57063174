"""The two streams: the signals, removed last because they prove lists, and before them the dead letters.

One that others have groups in is emptied and stays: with it what they know of it would be gone. Leaving its entries too
was rejected: a server-b would wait for their lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from shared.endpoint.changed_signals import Changed, Suspects, changed_signals, is_changed_signal
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.endpoint.our_streams import entries_at_ends
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.ownership import is_letter, is_signal
from shared.signal import CONSUMER_GROUP


@dataclass(frozen=True)
class FoundStream:
    """A stream under a name of ours; `groups` are those of others in it."""

    key: str
    is_ours: bool
    groups: tuple[bytes, ...] = ()


Decision = Callable[[list[Any], list[bytes]], bool]
"""Tells from a stream's entries and the names of its groups whether it is ours."""


def find_changed_signals(endpoint: Endpoint, keys: Keyspace) -> Changed:
    """Return the entries of a stream without a signal that were signals of ours, and changed on the way.

    Records tell, which are removed before the streams. Redis: XREVRANGE COUNT 1; where that is no signal XREVRANGE and
    XRANGE of a hundred, and what `changed_signals` asks.
    """
    suspects = Suspects()
    try:
        entries = suspects.noting(entries_at_ends(endpoint.at(keys.signals()), keys.signals()))
        is_told = any(is_signal(fields) for _, fields in entries)
    except WrongKeyError:
        return {}  # no stream
    return {} if is_told else changed_signals(endpoint, keys, suspects)


def go_through_streams(
    endpoint: Endpoint, keys: Keyspace, changed: Changed, *, removes: bool
) -> Iterator[tuple[str, FoundStream]]:
    """Yield the kind of each of the two streams that exists and what it is, removed or emptied if it is to be.

    An empty stream of signals is ours if our group alone is in it, an empty one of dead letters if nobody has a group
    there and the signals beside it are ours. `changed` is what `find_changed_signals` found.

    Redis: WATCH, TYPE, XREVRANGE, XINFO GROUPS, then MULTI UNLINK EXEC, for each; where the newest entry is none of
    ours XREVRANGE and XRANGE of a hundred. Where others have groups XTRIM, and for signals XGROUP DESTROY and CREATE.
    """
    signals, dead = keys.signals(), keys.dead_letters()

    def are_signals(entries: list[Any], groups: list[bytes]) -> bool:
        if not entries:
            return groups == [CONSUMER_GROUP.encode()]
        return any(is_signal(entry[1]) or is_changed_signal(entry, changed) for entry in entries)

    found = _decide(endpoint, signals, are_signals, own_group=CONSUMER_GROUP, removes=False)
    is_ours = found is not None and found.is_ours
    letters = _decide(
        endpoint, dead, lambda entries, groups: _is_dead(entries, groups, is_beside_ours=is_ours), removes=removes
    )
    if letters is not None:
        yield "dead_letters", letters
    if removes:
        found = _decide(endpoint, signals, are_signals, own_group=CONSUMER_GROUP, removes=True)
    if found is not None:
        yield "signals", found


def _is_dead(entries: list[Any], groups: list[bytes], *, is_beside_ours: bool) -> bool:
    return any(is_letter(fields) for _, fields in entries) if entries else is_beside_ours and not groups


def _decide(
    endpoint: Endpoint, stream: str, is_ours: Decision, *, removes: bool, own_group: str = ""
) -> FoundStream | None:
    """Return what a stream is, and remove it then if it is ours and is to be; None where there is none.

    Where others have groups in it, it stays, without entries and with a new `own_group`, if any.
    """

    def attempt(pipeline: NodePipeline) -> FoundStream | None:
        kind = cast("bytes", pipeline.type(stream))
        if kind != b"stream":
            return None if kind == b"none" else FoundStream(stream, is_ours=False)
        newest = cast("list[Any]", pipeline.xrevrange(stream, count=1))  # enough as a rule; one may be large
        groups: Any = pipeline.xinfo_groups(stream)
        names = [group["name"] for group in groups]
        found = is_ours(newest, names)
        if newest and not found:
            found = any(is_ours([entry], names) for entry in entries_at_ends(pipeline, stream))
        others = tuple(name for name in names if name != own_group.encode())
        if found and removes:
            pipeline.multi()
            _queue_removal(pipeline, stream, own_group, is_kept=bool(others))
            pipeline.execute()
        return FoundStream(stream, found, others)

    return optimistic(endpoint.at(stream), [stream], attempt)


def _queue_removal(pipeline: NodePipeline, stream: str, own_group: str, *, is_kept: bool) -> None:
    if not is_kept:
        pipeline.unlink(stream)
        return
    pipeline.xtrim(stream, maxlen=0, approximate=False)
    if own_group:  # anew, for entries are pending in it that are gone; without it we would take the stream for theirs
        pipeline.xgroup_destroy(stream, own_group)
        pipeline.xgroup_create(stream, own_group, id="$")
