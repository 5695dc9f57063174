"""What signals and verdicts say of a run, held against what is published.

Both are compared whole, not by their ids or attempts alone: a byte may be changed on the way, a resume may be killed
between publication and signal, and a server may come back with what it held an hour ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import signals_in
from shared.endpoint.retry import Retry
from shared.endpoint.stream_pages import stream_pages
from shared.endpoint.together import PORTION_KEYS
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SUPERSEDED, SegmentVerdict


def is_about(verdict: SegmentVerdict, published: Signal) -> bool:
    """Tell whether a verdict is about what is published of a segment, given as the signal that it should have."""
    return _what(verdict) == _what(published)


def misleads(said: Signal | SegmentVerdict, published: Signal) -> bool:
    """Tell whether a signal or a verdict of the run keeps a published segment from the verdict that it should get.

    B takes a verdict for final unless it meets a later attempt. So a verdict on something else than what is published
    stands against all others if its attempt is the published one or sorts after it, and so will the verdict on such a
    signal. Only a later attempt ends that. No newer run has published, or nobody would ask: a verdict that says so is
    about one whose list was lost.
    """
    is_superseded = isinstance(said, SegmentVerdict) and said.verdict == SUPERSEDED
    return said.attempt >= published.attempt and (is_superseded or _what(said) != _what(published))


def _what(said: Signal | SegmentVerdict) -> tuple[str, int, int, int, str]:
    return (said.attempt, said.segment, said.segments, said.count, said.digest)


def signals_of_run(endpoint: Endpoint, keys: Keyspace, run_id: str, retry: Retry) -> Iterator[Signal]:
    """Yield all signals of a run that are in the stream.

    The whole stream is read, for there is no moment before which none can be: after a failover, the clock and the
    stream's last id are another server's.

    Redis: XRANGE of 1,000 entries a round trip; O(entries), which the retention bounds.
    """
    key = keys.signals()

    def read(start: str) -> list[Any]:
        found = retry.keep_trying(lambda: endpoint.at(key).xrange(key, min=start, count=PORTION_KEYS))
        return cast("list[Any]", found)

    for page in stream_pages(read, start="-", count=PORTION_KEYS, where=endpoint.name):
        yield from (signal for signal in signals_in(page) if signal.run_id == run_id)
