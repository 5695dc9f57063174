"""Reads the verdicts of a run by portions: a result may be somebody else's, of any size, and is never asked for whole.

HGETALL was rejected: a stranger's hash of 200 MB takes as much here, and a run of 100,000 segments 250 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import PORTION_KEYS
from shared.keys import Keyspace
from shared.segments import MAX_SEGMENTS
from shared.verdict import SegmentVerdict, decode_result


def read_verdicts(endpoint: Endpoint, keys: Keyspace, run_id: str, numbers: Sequence[int]) -> dict[int, SegmentVerdict]:
    """Return the verdicts on these segments, a thousand at most, that are recorded. Redis: HMGET."""
    key = keys.result(run_id)
    return decode_verdicts(numbers, endpoint.at(key).hmget(key, list(map(str, numbers))))


def decode_verdicts(numbers: Sequence[int], values: Sequence[Any]) -> dict[int, SegmentVerdict]:
    """Return the verdicts on these segments from HMGET's reply. Pure."""
    fields = {b"%d" % number: value for number, value in zip(numbers, values, strict=True) if value is not None}
    return decode_result(fields)


def all_verdicts(
    endpoint: Endpoint, keys: Keyspace, run_id: str, *, segments: int = 0
) -> Iterator[dict[int, SegmentVerdict]]:
    """Yield the verdicts on a run's segments, a thousand segments at a time.

    With `segments` 0, where the record of the run is gone, its verdicts tell how many it has.

    Redis: HLEN of the result; HMGET of 1,000 of its fields until all were seen, or the run's end.
    """
    key = keys.result(run_id)
    left, most = int(endpoint.at(key).hlen(key)), segments or MAX_SEGMENTS
    for first in range(1, MAX_SEGMENTS + 1, PORTION_KEYS):
        if first > most or left <= 0:
            return
        found = read_verdicts(endpoint, keys, run_id, range(first, first + PORTION_KEYS))
        left -= len(found)
        if found and not segments:
            most = segments = max(verdict.segments for verdict in found.values())
        yield found
