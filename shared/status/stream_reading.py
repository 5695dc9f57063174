"""What `status` asks the server that holds the stream: its newest entries, the group, dead letters, the first state."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from shared.endpoint.endpoint import Endpoint, milliseconds
from shared.endpoint.our_streams import PROOF_ENTRIES, are_letters_ours, are_signals_ours
from shared.endpoint.published import LOOK_BACK
from shared.endpoint.together import Together
from shared.endpoint.translation import is_reply
from shared.entry_ids import order_of
from shared.errors import WrongKeyError
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from shared.state import SegmentState
from shared.status.facts import GroupStatus, StreamFacts
from shared.text import cut_text
from shared.tokens import require_not_too_late

PAGE_ENTRIES = 1_000


def read_stream(endpoint: Endpoint, keys: Keyspace) -> StreamFacts:
    """Read it in one round trip.

    Redis: XLEN and XREVRANGE of two streams, XRANGE, XINFO GROUPS and CONSUMERS, HMGET, TIME; where none of the newest
    signals or dead letters is one, XRANGE or XREVRANGE of more in a second round trip.

    Raises WrongKeyError if the first state is that of a run far ahead of the server's clock.
    """
    stream, dead_letters, first = keys.signals(), keys.dead_letters(), keys.state(keys.segment(1))
    asked = Together(endpoint)
    asked.at(stream).xlen(stream)
    asked.at(stream).xrange(stream, count=1)
    asked.at(stream).xrevrange(stream, count=PAGE_ENTRIES)
    asked.at(stream).xinfo_groups(stream)
    asked.at(stream).xinfo_consumers(stream, CONSUMER_GROUP)
    asked.at(dead_letters).xlen(dead_letters)
    asked.at(dead_letters).xrevrange(dead_letters, count=PROOF_ENTRIES)
    asked.at(first).hmget(first, SegmentState.FIELDS)
    asked.at(stream).time()
    replies = map(_without_refusal, asked.send(raise_on_error=False))
    entries, oldest, page, groups, consumers, letters, newest_letters, state, now = replies
    ends = [entry[0].decode() for entry in (*oldest, *page[:1])]
    group = _group_status(entries, ends, groups, consumers)
    server_ms = milliseconds(now)
    is_foreign = not are_signals_ours(endpoint, keys, page[:LOOK_BACK], groups)
    is_ours = are_letters_ours(endpoint, keys, newest_letters)
    own, foreign = (letters, 0) if is_ours else (0, letters)
    return StreamFacts(
        entries=entries,
        first_page=page,
        group=group,
        dead_letters=own,
        foreign_letters=foreign,
        first_run=_first_run(first, state, server_ms),
        server_ms=server_ms,
        foreign_entries=entries if is_foreign else 0,
        has_foreign_groups=is_foreign and not entries,
    )


def _first_run(key: str, values: Any, server_ms: int) -> str:  # noqa: ANN401 - a reply, or None
    """Return the run that is published as segment 1; WrongKeyError if it is far ahead, also where no run is known."""
    state = None
    if isinstance(values, list):
        with suppress(WrongKeyError):  # it is somebody else's
            state = SegmentState.decode(key, values)
    if state is not None:
        require_not_too_late(f"{key} run {state.run_id}", state.run_id, server_ms)
    return state.run_id if state is not None and state.count else ""


def _without_refusal(reply: Any) -> Any:  # noqa: ANN401 - whatever the command answers
    """Return a reply; nothing for a stream or a group that is not there, and for a state of another type."""
    if not isinstance(reply, Exception):
        return reply
    if is_reply(reply, "no such key", "NOGROUP"):
        return []
    if isinstance(reply, WrongKeyError) and ":state at " in reply.where:
        return None
    raise reply


def _group_status(entries: int, ends: list[str], groups: list[Any], consumers: list[Any]) -> GroupStatus:
    """Return the group's figures; without the group every entry of the stream counts as undelivered.

    The lag is counted again: the servers count entries too that were trimmed before the group came to them, and some
    do so for ever.

    Args:
        entries: How many the stream has.
        ends: The ids of its oldest and its newest entry; nothing when it is empty.
        groups: As XINFO GROUPS says.
        consumers: As XINFO CONSUMERS says.
    """
    ours = next((group for group in groups if group["name"] == CONSUMER_GROUP.encode()), None)
    if ours is None:
        return GroupStatus(lag=entries, has_undelivered=entries > 0)
    last_delivered, lag = ours["last-delivered-id"].decode(), ours.get("lag")
    has_undelivered = bool(ends) and order_of(ends[-1]) > order_of(last_delivered)
    if not has_undelivered:
        lag = 0
    elif order_of(ends[0]) > order_of(last_delivered):
        lag = entries
    elif lag is not None:  # after an XDEL among the undelivered entries the server does not know it
        lag = min(lag, entries)
    return GroupStatus(
        is_there=True,
        lag=lag,
        has_undelivered=has_undelivered,
        pending=ours["pending"],
        consumers=[
            {"name": cut_text(consumer["name"]), "pending": consumer["pending"], "idle_ms": consumer["idle"]}
            for consumer in consumers
        ],
        last_delivered_id=last_delivered,
    )
