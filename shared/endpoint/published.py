"""Reads what is published: the states of segments, and the signals among a stream's entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.errors import InvalidInputError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState

LOOK_BACK = 100  # how many of a stream's newest entries are read to find its newest signal, or a dead letter


def read_state(endpoint: Endpoint, keys: Keyspace, segment_key: str) -> SegmentState | None:
    """Return what is published under a segment's name; None when nothing ever was. Redis: HMGET; O(1)."""
    key = keys.state(segment_key)
    return SegmentState.decode(key, endpoint.at(key).hmget(key, SegmentState.FIELDS))


def read_states(endpoint: Endpoint, state_keys: Iterable[str]) -> Iterator[tuple[str, SegmentState | None]]:
    """Yield each key with the state in it. Redis: HMGET of 1,000 states a round trip."""
    for key, values in ask_each(endpoint, state_keys, lambda pipeline, key: pipeline.hmget(key, SegmentState.FIELDS)):
        yield key, SegmentState.decode(key, values)


def signals_in(entries: Iterable[Any]) -> Iterator[Signal]:
    """Yield the signals among entries as XRANGE and its kin return them, in the same order; others are dead letters."""
    for _, fields in entries:
        with suppress(InvalidInputError):
            yield Signal.decode(fields)
