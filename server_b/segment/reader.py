"""Reads a published segment in reverse, and notices whatever happens to it meanwhile.

Chunks are read in one transaction with the state, so a list that was replaced is noticed at once. That alone would
miss a change to a part already read, so a second connection WATCHes the list from before the first chunk to after the
last; a lock was rejected, since nobody else is bound to honour it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from server_b.segment.chunks import Chunk
from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.node_client import Command
from shared.errors import SegmentChangedError
from shared.keys import Keyspace

TRANSACTIONS_AHEAD = 3
PING_EVERY_S = 2.0


@dataclass(frozen=True)
class Opening:
    """What the first transaction of a reading has found.

    Attributes:
        length: Of the list.
        started_us: The server's clock, microseconds since 1970.
        first: The newest values, newest first, as many as were asked for and are there.
        last: The oldest value; None of an empty list.
    """

    length: int
    started_us: int
    first: list[bytes]
    last: bytes | None


class SegmentReader:
    """One reading of one segment under one state."""

    def __init__(
        self, endpoint: Endpoint, keys: Keyspace, segment_key: str, *, expected: tuple[bytes | None, ...]
    ) -> None:
        """Take two connections, and begin to watch the list.

        Args:
            endpoint: Where to read.
            keys: The namespace.
            segment_key: Name of the list.
            expected: run_id and attempt that the state has to name; Nones for a list without state.
        """
        self._key = segment_key
        self._state_key = keys.state(segment_key)
        self._expected = list(expected)
        self._ping_at = time.monotonic() + PING_EVERY_S
        self._asked: deque[list[Chunk]] = deque()
        self._chunks: Iterator[Chunk] = iter(())
        self._together = 1
        self._guard: Command = ("HMGET", self._state_key, "run_id", "attempt")
        self._begin, self._end = pack("MULTI") + pack(*self._guard), pack("EXEC")
        self._watch = endpoint.batch(segment_key)
        try:
            self._watch.watch(self._key, self._state_key)
            self._connection = endpoint.batch(segment_key)
        except BaseException:
            self._watch.close()
            raise

    def open(self, chunks: Iterable[Chunk], *, together: int = 1, first: int = 0) -> Opening:
        """Ask for the first chunks ahead, and return what the transaction before them has found.

        Several chunks in one transaction share its replies to MULTI, HMGET and EXEC, and the system call that asks.

        Args:
            chunks: What to read; fewer values come where the list is shorter.
            together: How many of them one transaction reads.
            first: How many of the newest values to return.

        Raises:
            SegmentChangedError: The state no longer names what was expected.
            WrongKeyError: The key holds no list.

        Redis:
            MULTI HMGET TIME LLEN LRANGE LRANGE EXEC, with the first transactions of `read` in the same round trip.
        """
        ranges: list[Command] = [("LRANGE", self._key, 0, first - 1)] if first else []
        commands: list[Command] = [
            self._guard,
            ("TIME",),
            ("LLEN", self._key),
            ("LRANGE", self._key, -1, -1),
            *ranges,
        ]
        self._connection.send_transaction(*commands)
        self._chunks, self._together = iter(chunks), together
        self._ask_ahead()
        keys = [self._state_key, "", *[self._key] * (len(commands) - 2)]
        state, now, length, last, *newest = self._connection.read_transaction(len(commands), keys=keys) or [None] * 4
        self._require(state)
        return Opening(
            length=int(length),
            started_us=microseconds((int(now[0]), int(now[1]))),
            first=newest[0] if newest else [],
            last=last[0] if last else None,
        )

    def read(self) -> Iterator[tuple[Chunk, list[bytes]]]:
        """Yield the chunks given to `open` with their values, three transactions asked for ahead.

        Raises:
            SegmentChangedError: The state no longer names what was expected.
            TransientError: The connection is lost; read the segment again.

        Redis:
            MULTI [HMGET, LRANGE of each chunk] EXEC; LRANGE costs O(offset in nodes + chunk).
        """
        while self._asked:
            group = self._asked.popleft()
            values = self._read_group(len(group))
            self._ask_ahead()
            yield from zip(group, values, strict=True)

    def _ask_ahead(self) -> None:
        while len(self._asked) < TRANSACTIONS_AHEAD and (group := list(islice(self._chunks, self._together))):
            ranges = [pack("LRANGE", self._key, chunk.start, chunk.stop) for chunk in group]
            self._connection.send(self._begin + b"".join(ranges) + self._end, replies=len(group) + 3)
            self._asked.append(group)

    def _read_group(self, chunks: int) -> list[list[bytes]]:
        """Return the values of each chunk of the transaction that was asked for first."""
        if time.monotonic() > self._ping_at:
            self._ping_at = time.monotonic() + PING_EVERY_S
            self._watch.call("PING")  # else it is cut for idleness while a long list is read
        state, *values = self._connection.read_transaction(1 + chunks) or [None]
        self._require(state)
        return values

    def _require(self, state: list[bytes | None] | None) -> None:
        if state != self._expected:
            raise SegmentChangedError(
                where=self._key, expected="one list from its head to its tail", got="another run's in between"
            )

    def require_untouched(self, count: int) -> int:
        """Check at the end that nobody touched list or state since the beginning; return the server's clock.

        Raises:
            SegmentChangedError: Somebody did, or the list is longer than announced.

        Redis:
            MULTI LLEN TIME EXEC on the watching connection; O(1).
        """
        reply = self._watch.transaction(("LLEN", self._key), ("TIME",))
        if reply is None or reply[0] != count:
            raise SegmentChangedError(where=self._key, expected="a list at rest", got="a change while it was read")
        seconds, rest = reply[1]
        return microseconds((int(seconds), int(rest)))

    def close(self) -> None:
        """Give both connections back."""
        self._watch.close()
        self._connection.close()
