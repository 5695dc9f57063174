"""Reads what is published: the states of segments, and the signals among a stream's entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint, milliseconds
from shared.endpoint.stream_pages import PageSize, stream_pages
from shared.endpoint.together import ask_each
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from shared.tokens import is_too_late

LOOK_BACK = 100  # how many of a stream's newest entries are read to find its newest signal, or a dead letter
PAGE_ENTRIES = 1_000  # at most, of those that are small


def read_state(
    endpoint: Endpoint, keys: Keyspace, segment_key: str, *, server_ms: int | None = None
) -> SegmentState | None:
    """Return what is published under a segment's name; None when nothing ever was. Redis: HMGET; O(1)."""
    key = keys.state(segment_key)
    return SegmentState.decode(key, endpoint.at(key).hmget(key, SegmentState.FIELDS), server_ms=server_ms)


def read_states(endpoint: Endpoint, state_keys: Iterable[str]) -> Iterator[tuple[str, SegmentState | None]]:
    """Yield each key with the state in it. Redis: HMGET of 1,000 states a round trip."""
    for key, values in ask_each(endpoint, state_keys, lambda pipeline, key: pipeline.hmget(key, SegmentState.FIELDS)):
        yield key, SegmentState.decode(key, values)


def signals_in(entries: Iterable[Any], *, server_ms: int | None = None) -> Iterator[Signal]:
    """Yield the signals among entries as XRANGE and its kin return them, in the same order; others are dead letters.

    Where the server's clock is given, so are those of runs that are far ahead of it; else they count as the newest.
    """
    for _, fields in entries:
        with suppress(InvalidInputError):
            signal = Signal.decode(fields)
            if server_ms is None or not is_too_late(signal.run_id, server_ms):
                yield signal


def signal_pages(endpoint: Endpoint, keys: Keyspace, *, server_ms: int) -> Iterator[list[Signal]]:
    """Yield all signals of the stream, the newest first, as many at a time as a page of entries has; see `signals_in`.

    Redis: XREVRANGE, 1,000 entries a round trip at most; O(entries).
    """
    stream, size = keys.signals(), PageSize(PAGE_ENTRIES)

    def read(end: str) -> list[Any]:
        return cast("list[Any]", endpoint.at(stream).xrevrange(stream, max=end, count=size.count))

    for page in stream_pages(read, start="+", count=size, where=endpoint.name):
        yield list(signals_in(page, server_ms=server_ms))


def newest_signals(endpoint: Endpoint, keys: Keyspace) -> tuple[list[Signal], int]:
    """Return the signals among the stream's last 100 entries, the newest first, and the server's clock in ms.

    Redis: XREVRANGE and TIME in one round trip; O(1).
    """
    stream = keys.signals()
    pipeline = endpoint.at(stream).pipeline(transaction=False)
    pipeline.xrevrange(stream, count=LOOK_BACK)
    pipeline.time()
    entries, now = pipeline.execute()
    server_ms = milliseconds(now)
    return list(signals_in(entries, server_ms=server_ms)), server_ms
