"""The whole current list in reverse, as `server-b read` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import NamedTuple, cast

from server_b.segment.chunks import ChunkSize, chunk_size, chunks_from_head
from server_b.segment.cut_reading import begun_again
from server_b.segment.listing import STEADY_BYTES
from server_b.segment.look import RECORD_FIELDS, decode_record
from server_b.segment.reader import SegmentReader
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.published import newest_signals
from shared.endpoint.reply_shapes import is_texts
from shared.endpoint.together import ask_each, portions
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
    """Return the newest run's segments, last first.

    Redis: XREVRANGE, TIME; HMGET of 1,000 states a round trip, then of the record with 1,000 chunk sizes; EXISTS.
    """
    # not simply the newest entry: an older run may have sent a signal again
    signals, server_ms = newest_signals(endpoint, keys)
    signal = max(signals, key=lambda signal: signal.run_id, default=None)
    segments = signal.segments if signal is not None else 1
    found = _states(endpoint, keys, range(segments, 0, -1), server_ms)
    states = {number: state for number, state in found.items() if state is not None and state.count}
    first = keys.segment(1)
    if segments == 1 and not states and endpoint.at(first).exists(first):
        return [CurrentSegment(first, found[1], chunk_size(None))]  # a list that somebody else made
    run_ids = {state.run_id for state in states.values()}
    if len(states) < segments or len(run_ids) > 1:
        raise NotFinishedError(
            where=first,
            expected="a published list" if signal is None else f"all {segments} segments of run {signal.run_id}",
            got=f"{len(states)} segments of {len(run_ids)} runs",
            advice="run it again when server-a has finished",
        )
    return list(_with_sizes(endpoint, keys, states))


def _states(
    endpoint: Endpoint, keys: Keyspace, numbers: Iterable[int], server_ms: int
) -> dict[int, SegmentState | None]:
    names = {keys.state(keys.segment(number)): number for number in numbers}
    asked = ask_each(endpoint, names, lambda pipeline, key: pipeline.hmget(key, SegmentState.FIELDS))
    return {names[key]: SegmentState.decode(key, values, server_ms=server_ms) for key, values in asked}


def _with_sizes(endpoint: Endpoint, keys: Keyspace, states: Mapping[int, SegmentState]) -> Iterator[CurrentSegment]:
    """Yield the segments of one run with the sizes of their chunks."""
    run_id = next(iter(states.values())).run_id
    key, known = keys.run(run_id), len(RECORD_FIELDS)
    for numbers in portions(states):
        values = cast("list[bytes | None]", endpoint.at(key).hmget(key, [*RECORD_FIELDS, *map(chunk_field, numbers)]))
        record = decode_record(key, values[:known], run_id=run_id)
        for number, chunk_values in zip(numbers, values[known:], strict=True):
            yield CurrentSegment(keys.segment(number), states[number], chunk_size(record, chunk_values))


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
