"""The digest of a list that is published, read from its tail: the order in which its values were inserted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import cast

from shared.digest import BLOCK_VALUES, SegmentDigest
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.reply_shapes import is_texts
from shared.errors import InvalidInputError, LongReplyError
from shared.fields import decode_number
from shared.keys import Keyspace
from shared.segments import MAX_CHUNK_BYTES, MAX_VALUE_BYTES, safe_chunk_values
from shared.stopping import StopRequest

CHUNKS_AHEAD = 4
MOST_REPLY_BYTES = 2 * MAX_CHUNK_BYTES  # of a chunk
_OVERHEAD_BYTES = 12  # of a value in a reply


def digest_list(
    connection: BatchConnection, key: str, count: int, *, value_bytes: int, stop: StopRequest | None
) -> SegmentDigest | None:
    """Return the digest of a list of so many values; None if it can't be one of ours. At most four chunks are held.

    No more is asked for ahead than the connection's window allows: a server with a `client-output-buffer-limit` cuts
    whoever asks for more, and the window is smaller on the next connection.

    Args:
        connection: To the list's server.
        key: The list.
        count: Its values.
        value_bytes: What its longest value has, as `read_value_bytes` returns it.
        stop: Ends the reading.

    Raises NotFinishedError if a stop was requested.

    Redis: LRANGE, up to a block of 1,000 values each, four ahead.
    """
    digest, ahead = SegmentDigest(), deque[int]()
    connection.limit_replies(MOST_REPLY_BYTES)
    reply_bytes = value_bytes + _OVERHEAD_BYTES  # of a value, until their mean is known
    fitting = connection.flights.window.most // reply_bytes
    chunks = _chunks(count, max(1, min(fitting, safe_chunk_values(value_bytes, block_values=BLOCK_VALUES))))
    chunk = next(chunks, None)
    while True:
        while chunk is not None and len(ahead) < CHUNKS_AHEAD:
            first, values = chunk
            flight_bytes = values * reply_bytes
            if not connection.flights.has_room(flight_bytes):
                break
            packed = pack("LRANGE", key, count - first - values, count - 1 - first)
            connection.send(packed, replies=1, flight_bytes=flight_bytes)
            ahead.append(values)
            chunk = next(chunks, None)
        if not ahead:
            return digest
        if stop is not None:
            stop.check(f"reading {key}")
        try:
            found = connection.read(key=key)
        except LongReplyError:
            return None  # values longer than the record of their run says
        if not is_texts(found):
            raise connection.strange("LRANGE")
        joined = b"\n".join(reversed(found))
        if len(found) != ahead.popleft() or joined.count(b"\n") != len(found) - 1:
            return None  # it has changed, or has values that no run writes
        digest.add(joined, len(found))
        reply_bytes = len(joined) // len(found) + _OVERHEAD_BYTES


def read_value_bytes(endpoint: Endpoint, keys: Keyspace, run_id: str) -> int:
    """Return how long a value of a run may be; the most there can be if its record is gone. Redis: HMGET; O(1)."""
    key = keys.run(run_id)
    longest = cast("bytes | None", endpoint.at(key).hmget(key, ["max_value_bytes"])[0])
    try:
        return min(MAX_VALUE_BYTES, decode_number(key, "max_value_bytes", longest or b""))
    except InvalidInputError:
        return MAX_VALUE_BYTES


def _chunks(count: int, chunk_values: int) -> Iterator[tuple[int, int]]:
    """Yield first value, from 0 in insertion order, and number of values of chunks that cross no block's border."""
    for block in range(0, count, BLOCK_VALUES):
        end = min(block + BLOCK_VALUES, count)
        for first in range(block, end, chunk_values):
            yield first, min(chunk_values, end - first)
