"""Reads a published segment in reverse, and notices whatever happens to it meanwhile.

Chunks are read in one transaction with the state, so a list that was replaced is noticed at once. That alone would
miss a change to a part already read, so a second connection WATCHes the list from before the first chunk to after the
last; a lock was rejected, since nobody else is bound to honour it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from server_b.chunks import Chunk
from shared.endpoint.client import Endpoint
from shared.endpoint.wire import Wire
from shared.errors import SegmentChangedError
from shared.keys import Keyspace

TRANSACTIONS_AHEAD = 3
PING_EVERY_S = 60.0


class SegmentReader:
    """One reading of one segment under one state."""

    def __init__(
        self, endpoint: Endpoint, keys: Keyspace, segment_key: str, *, expected: tuple[bytes | None, ...]
    ) -> None:
        """Connect, and begin to watch the list.

        Args:
            endpoint: Where to read; two connections are opened.
            keys: The namespace.
            segment_key: Name of the list.
            expected: run_id and attempt that the state has to name; Nones for a list without state.
        """
        self._key = segment_key
        self._state_key = keys.state(segment_key)
        self._expected = list(expected)
        self._ping_at = time.monotonic() + PING_EVERY_S
        self._watch = endpoint.wire(segment_key)
        try:
            self._watch.call("WATCH", self._key, self._state_key)
            self._wire: Wire = endpoint.wire(segment_key)
        except BaseException:
            self._watch.close()
            raise

    def length(self) -> int:
        """Return how long the list is now.

        Raises:
            SegmentChangedError: The state no longer names what was expected.
            WrongEndpointError: The key holds no list.

        Redis:
            MULTI HMGET LLEN EXEC; O(1).
        """
        reply = self._wire.transaction(("HMGET", self._state_key, "run_id", "attempt"), ("LLEN", self._key))
        state, length = reply or [None, 0]
        self._require(state)
        return int(length)

    def read(self, chunks: Iterable[Chunk], *, together: int = 1) -> Iterator[tuple[Chunk, list[bytes]]]:
        """Yield chunks with their values, from the head, with three transactions asked for ahead.

        Several chunks in one transaction share its replies to MULTI, HMGET and EXEC, and the system call that asks.

        Args:
            chunks: What to ask for; fewer values come where the list is shorter.
            together: How many of them one transaction reads.

        Raises:
            SegmentChangedError: The state no longer names what was expected.
            ConnectionLostError: The connection is lost; read the segment again.

        Redis:
            MULTI [HMGET, LRANGE of each chunk] EXEC; LRANGE costs O(offset in nodes + chunk).
        """
        pack = self._wire.pack
        begin, end = pack("MULTI") + pack("HMGET", self._state_key, "run_id", "attempt"), pack("EXEC")
        source = iter(chunks)
        asked: deque[list[Chunk]] = deque()
        while True:
            while len(asked) < TRANSACTIONS_AHEAD and (group := list(islice(source, together))):
                ranges = [pack("LRANGE", self._key, chunk.start, chunk.stop) for chunk in group]
                self._wire.send(begin + b"".join(ranges) + end)
                asked.append(group)
            if not asked:
                return
            group = asked.popleft()
            yield from zip(group, self._read_group(len(group)), strict=True)

    def _read_group(self, chunks: int) -> list[list[bytes]]:
        """Return the values of each chunk of the transaction that was asked for first."""
        if time.monotonic() > self._ping_at:
            self._ping_at = time.monotonic() + PING_EVERY_S
            self._watch.call("PING")  # else it is cut for idleness while a long list is read
        state, *values = self._wire.read_transaction(1 + chunks) or [None]
        self._require(state)
        return values

    def _require(self, state: list[bytes | None] | None) -> None:
        if state != self._expected:
            raise SegmentChangedError(
                where=self._key, expected="one list from its head to its tail", got="another run's in between"
            )

    def require_untouched(self, count: int) -> None:
        """Check at the end that nobody touched list or state since the beginning.

        Raises:
            SegmentChangedError: Somebody did, or the list is longer than announced.

        Redis:
            MULTI LLEN EXEC on the watching connection; O(1).
        """
        reply = self._watch.transaction(("LLEN", self._key))
        if reply is None or reply[0] != count:
            raise SegmentChangedError(where=self._key, expected="a list at rest", got="a change while it was read")

    def close(self) -> None:
        """Close both connections."""
        self._watch.close()
        self._wire.close()
