"""Which segments are published, asked for a thousand at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import ask_each
from shared.keys import Keyspace
from shared.state import SegmentState

PROBE_ABSENT = 100


@dataclass
class PublishedSegment:
    """What a run knows of a segment it has published.

    Attributes:
        signal_id: Stream id of its signal; empty until it is sent.
        longest: Bytes of its longest value; 0 for a segment that was kept.
    """

    state: SegmentState
    signal_id: str = ""
    longest: int = 0


def read_state(endpoint: Endpoint, keys: Keyspace, segment_key: str) -> SegmentState | None:
    """Return what is published under a segment's name.

    Raises:
        WrongKeyError: The state is somebody else's.

    Redis:
        HMGET; O(1).
    """
    state_key = keys.state(segment_key)
    return SegmentState.decode(state_key, endpoint.at(state_key).hmget(state_key, list(SegmentState.FIELDS)))


def read_states(
    endpoint: Endpoint, keys: Keyspace, numbers: Iterable[int]
) -> Iterator[tuple[int, SegmentState | None]]:
    """Yield segments, by number, with their states.

    Redis:
        HMGET for each, 1,000 a round trip.
    """
    by_key = {keys.state(keys.segment(number)): number for number in numbers}
    fields = list(SegmentState.FIELDS)
    for key, reply in ask_each(endpoint, by_key, lambda pipeline, key: pipeline.hmget(key, fields)):
        yield by_key[key], SegmentState.decode(key, reply)


def states_upward(endpoint: Endpoint, keys: Keyspace, *, after: int) -> Iterator[tuple[int, SegmentState]]:
    """Yield segments that have a state, from number `after + 1` upward until 100 in a row have none.

    Redis:
        HMGET of 100 states a round trip.
    """
    absent = 0
    first = after + 1
    while absent < PROBE_ABSENT:
        for number, state in read_states(endpoint, keys, range(first, first + PROBE_ABSENT)):
            if state is not None:
                absent = 0
                yield number, state
            else:
                absent += 1
        first += PROBE_ABSENT
