"""The whole current list in reverse, as `server-b read` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple, cast

from server_b.segment.chunks import ChunkSize, chunk_size, chunks_from_head
from server_b.segment.cut_reading import begun_again
from server_b.segment.listing import STEADY_BYTES
from server_b.segment.look import RECORD_FIELDS, decode_record
from server_b.segment.reader import SegmentReader
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import newest_signals, read_state
from shared.endpoint.reply_shapes import is_texts
from shared.errors import NotFinishedError, SegmentChangedError
from shared.keys import Keyspace
from shared.record import chunk_field
from shared.state import SegmentState


class CurrentSegment(NamedTuple):
    """A published list and its state; None for a list that somebody else made."""

    key: str
    state: SegmentState | None
    size: ChunkSize


def values_in_reverse(endpoint: Endpoint, keys: Keyspace, *, limit: int | None) -> Iterator[list[bytes]]:
    """Yield the current list's values, newest first, a chunk at a time; at most `limit` of them."""
    left = limit
    for segment in _current_segments(endpoint, keys):
        for values in begun_again(endpoint, segment.key, partial(_segment_values, endpoint, keys, segment)):
            if left is not None:
                del values[left:]
                left -= len(values)
            if values:
                yield values
            if left == 0:
                return


def _current_segments(endpoint: Endpoint, keys: Keyspace) -> list[CurrentSegment]:
    """Return the newest run's segments, last first. Redis: XREVRANGE, TIME; HMGET of each state and record; EXISTS."""
    # not simply the newest entry: an older run may have sent a signal again
    signals, server_ms = newest_signals(endpoint, keys)
    signal = max(signals, key=lambda signal: signal.run_id, default=None)
    segments = signal.segments if signal is not None else 1
    found = [_segment(endpoint, keys, number, server_ms) for number in range(segments, 0, -1)]
    states = [segment.state for segment in found if segment.state is not None and segment.state.count]
    if segments == 1 and not states and endpoint.at(found[0].key).exists(found[0].key):
        return found  # a list that somebody else made
    run_ids = {state.run_id for state in states}
    if len(states) < segments or len(run_ids) > 1:
        raise NotFinishedError(
            where=keys.segment(1),
            expected="a published list" if signal is None else f"all {segments} segments of run {signal.run_id}",
            got=f"{len(states)} segments of {len(run_ids)} runs",
            advice="run it again when server-a has finished",
        )
    return found


def _segment(endpoint: Endpoint, keys: Keyspace, number: int, server_ms: int) -> CurrentSegment:
    key = keys.segment(number)
    state = read_state(endpoint, keys, key, server_ms=server_ms)
    if state is None:
        return CurrentSegment(key, None, chunk_size(None))
    run_key = keys.run(state.run_id)
    *values, chunk_values = endpoint.at(run_key).hmget(run_key, [*RECORD_FIELDS, chunk_field(number)])
    record = decode_record(run_key, values, run_id=state.run_id)
    return CurrentSegment(key, state, chunk_size(record, cast("bytes | None", chunk_values)))


def _segment_values(endpoint: Endpoint, keys: Keyspace, segment: CurrentSegment) -> Iterator[list[bytes]]:
    key, state, size = segment.key, segment.state, segment.size
    count = state.count if state is not None else endpoint.at(key).llen(key)
    expected = (state.run_id.encode(), state.attempt.encode()) if state is not None else (None, None)
    with closing(SegmentReader(endpoint, keys, key, expected=expected)) as reader:
        # of a list without a record one value may be longer than that, so that each would be asked for alone
        size = size.within(min(reader.most, STEADY_BYTES) if state is not None else reader.most)
        opening = reader.open(chunks_from_head(count, chunk_values=size.values), count=count, size=size)
        if opening.length != count:
            raise NotFinishedError(where=key, expected=f"{count} values", got=f"{opening.length}")
        for chunk, values in reader.read():
            if not is_texts(values):
                raise reader.strange_values()
            if len(values) != chunk.values:
                raise SegmentChangedError(where=key, expected="a list at rest", got="one that became shorter")
            yield values
        reader.require_untouched(count)
