"""The whole current list in reverse, as `server-b read` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, cast

from server_b.segment.chunks import ChunkSize, chunk_size, chunks_from_head
from server_b.segment.reader import SegmentReader
from shared.endpoint.endpoint import Endpoint
from shared.errors import InvalidInputError, NotFinishedError, SegmentChangedError
from shared.keys import Keyspace
from shared.record import chunk_field
from shared.signal import Signal
from shared.state import SegmentState

_LOOK_BACK = 100


@dataclass(frozen=True)
class CurrentSegment:
    """A published list and what its state names; no state for a list that somebody else made."""

    key: str
    state: SegmentState | None
    size: ChunkSize


def current_segments(endpoint: Endpoint, keys: Keyspace) -> list[CurrentSegment]:
    """Return the segments of the current run, the newest values' first.

    Raises:
        NotFinishedError: Nothing is published here, or a run is just being published.

    Redis:
        XREVRANGE COUNT 100; HMGET of each state; EXISTS.
    """
    signal = _newest_signal(endpoint, keys)
    segments, run_id = (signal.segments, signal.run_id) if signal is not None else (1, "")
    found = [_segment(endpoint, keys, n) for n in range(segments, 0, -1)]
    published = [segment for segment in found if segment.state is not None and segment.state.count]
    if segments == 1 and not published and _exists(endpoint, found[0].key):
        return found  # somebody else's list, under the name of the original exercise
    run_ids = {segment.state.run_id for segment in published if segment.state is not None}
    if len(published) < segments or len(run_ids) > 1:
        raise NotFinishedError(
            where=keys.segment(1),
            expected="a published list" if not run_id else f"all {segments} segments of run {run_id}",
            got=f"{len(published)} segments of {len(run_ids)} runs",
            advice="run it again when server-a has finished",
        )
    return published


def _newest_signal(endpoint: Endpoint, keys: Keyspace) -> Signal | None:
    """Return a signal of the newest run; the newest entry may be an older run's, sent again, or nobody's."""
    entries = cast("list[Any]", endpoint.at(keys.signals()).xrevrange(keys.signals(), count=_LOOK_BACK))
    signals = []
    for _, fields in entries:
        with suppress(InvalidInputError):
            signals.append(Signal.decode(fields))
    return max(signals, key=lambda signal: signal.run_id, default=None)


def values_in_reverse(endpoint: Endpoint, keys: Keyspace, *, limit: int | None) -> Iterator[list[bytes]]:
    """Yield the current list's values, newest first, a chunk at a time.

    Args:
        endpoint: Where to read.
        keys: The namespace.
        limit: Values at most; None for all.

    Raises:
        NotFinishedError: Nothing is published, or another run was published while this one was read.
        TransientError: The connection is lost.
    """
    left = limit
    for segment in current_segments(endpoint, keys):
        for values in _segment_values(endpoint, keys, segment):
            if left is not None:
                del values[left:]
                left -= len(values)
            if values:
                yield values
            if left == 0:
                return


def _segment_values(endpoint: Endpoint, keys: Keyspace, segment: CurrentSegment) -> Iterator[list[bytes]]:
    state = segment.state
    count = state.count if state is not None else endpoint.at(segment.key).llen(segment.key)
    expected = (state.run_id.encode(), state.attempt.encode()) if state is not None else (None, None)
    with closing(SegmentReader(endpoint, keys, segment.key, expected=expected)) as reader:
        chunks = chunks_from_head(count, chunk_values=segment.size.values)
        opening = reader.open(chunks, together=segment.size.together)
        if opening.length != count:
            raise NotFinishedError(where=segment.key, expected=f"{count} values", got=f"{opening.length}")
        for chunk, values in reader.read():
            if len(values) != chunk.values:
                raise SegmentChangedError(where=segment.key, expected="a list at rest", got="one that became shorter")
            yield values
        reader.require_untouched(count)


def _segment(endpoint: Endpoint, keys: Keyspace, number: int) -> CurrentSegment:
    key = keys.segment(number)
    state_key = keys.state(key)
    found = endpoint.at(state_key).hmget(state_key, list(SegmentState.FIELDS))
    state = SegmentState.decode(state_key, found)
    if state is None:
        return CurrentSegment(key, None, chunk_size(None, None))
    run_key = keys.run(state.run_id)
    longest, chunk_values = endpoint.at(run_key).hmget(run_key, ["max_value_bytes", chunk_field(number)])
    return CurrentSegment(key, state, chunk_size(cast("bytes | None", longest), cast("bytes | None", chunk_values)))


def _exists(endpoint: Endpoint, key: str) -> bool:
    return bool(endpoint.at(key).exists(key))
