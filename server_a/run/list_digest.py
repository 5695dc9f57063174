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


def digest_list(
    connection: BatchConnection, key: str, count: int, *, chunk_values: int, stop: StopRequest | None
) -> SegmentDigest | None:
    """Return the digest of a list of so many values; None if it can't be one of ours. At most four chunks are held.

    Raises NotFinishedError if a stop was requested.

    Redis: ceil(count / chunk_values) LRANGE, four ahead.
    """
    digest, ahead = SegmentDigest(), deque[int]()
    connection.limit_replies(MOST_REPLY_BYTES)
    chunks = _chunks(count, chunk_values)
    while True:
        while len(ahead) < CHUNKS_AHEAD and (chunk := next(chunks, None)) is not None:
            first, values = chunk
            connection.send(pack("LRANGE", key, count - first - values, count - 1 - first), replies=1)
            ahead.append(values)
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


def read_chunk_values(endpoint: Endpoint, keys: Keyspace, run_id: str) -> int:
    """Return how many values of a run always fit into 4 MiB; few if its record is gone. Redis: HMGET; O(1)."""
    key = keys.run(run_id)
    longest = cast("bytes | None", endpoint.at(key).hmget(key, ["max_value_bytes"])[0])
    try:
        longest_bytes = min(MAX_VALUE_BYTES, decode_number(key, "max_value_bytes", longest or b""))
    except InvalidInputError:
        longest_bytes = MAX_VALUE_BYTES
    return safe_chunk_values(longest_bytes, block_values=BLOCK_VALUES)


def _chunks(count: int, chunk_values: int) -> Iterator[tuple[int, int]]:
    """Yield first value, from 0 in insertion order, and number of values of chunks that cross no block's border."""
    for block in range(0, count, BLOCK_VALUES):
        end = min(block + BLOCK_VALUES, count)
        for first in range(block, end, chunk_values):
            yield first, min(chunk_values, end - first)
