"""Reads a published segment in reverse, and notices every change to it meanwhile.

Each transaction reads chunks together with the state, which tells at once if another run replaced the list. A second
connection WATCHes list and state from before the first chunk to after the last, for changes to a part that was read
already. A lock was rejected: other clients may ignore it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from server_b.segment.chunks import Chunk, ChunkSize
from shared.endpoint.batch_connection import pack
from shared.endpoint.endpoint import Endpoint, microseconds
from shared.endpoint.node_client import Command
from shared.endpoint.reply_shapes import is_list, is_texts
from shared.endpoint.reply_times import ReplyTimes
from shared.errors import HandoverError, SegmentChangedError
from shared.keys import Keyspace

PING_EVERY_S = 1.0
_VALUE_OVERHEAD_BYTES = 6  # of a value in a reply: $, a digit, twice \r\n
_TRANSACTION_BYTES = 200  # of a transaction's replies besides the values
_MOST_REPLY_BYTES = 32 * 1024 * 1024  # of a chunk or the values that are shown, of any length that a run writes
_SAMPLE_EVERY = 125  # values whose length is taken: measuring each would take a tenth of the time


@dataclass(frozen=True)
class Opening:
    """What the first transaction of a reading found."""

    length: int
    started_us: int  # the server's clock, microseconds since 1970
    first: list[bytes]  # the newest values, newest first, as many as were asked for and are there
    last: bytes | None  # the oldest value; None of an empty list


class SegmentReader:
    """One reading of one segment under one state."""

    def __init__(
        self, endpoint: Endpoint, keys: Keyspace, segment_key: str, *, expected: tuple[bytes | None, ...]
    ) -> None:
        """Watch a list whose state has to name `expected`: run_id and attempt, or twice None without a state."""
        self._key, self._state_key = segment_key, keys.state(segment_key)
        self._expected = list(expected)
        self._ping_at = time.monotonic() + PING_EVERY_S
        self._pings = 0  # whose replies are not read yet
        self._is_ending = True  # whether the watching connection has its last command, or `ask` reads a reply from it
        self._watching = Lock()
        self._asked: deque[list[Chunk]] = deque()
        self._opening: list[Command] = []  # sent, and answered by `opened`
        self._chunks: Iterator[Chunk] = iter(())
        self._group: list[Chunk] = []  # to be asked for next
        self._together = 1
        self._value_bytes = 1.0
        self.left = 0  # values that were not asked for yet
        self._guard: Command = ("HMGET", self._state_key, "run_id", "attempt")
        self._begin, self._end = pack("MULTI") + pack(*self._guard), pack("EXEC")
        self._endpoint = endpoint
        self._watch = self._connection = endpoint.batch(segment_key)  # `ask` takes another one for the chunks
        try:
            self._watch.send_watch(self._key, self._state_key)  # `ask` reads the reply
        except BaseException:
            self._watch.close()
            raise

    @property
    def times(self) -> ReplyTimes:
        """How long the replies took."""
        return self._connection.flights.times

    @property
    def most(self) -> int:
        """How many bytes a transaction should ask for at most."""
        return self._connection.flights.window.most

    @property
    def is_nearly_asked(self) -> bool:
        """Whether what is left to be asked for is no more than the window: the link needs more work soon."""
        return self.left * self._value_bytes <= self._connection.flights.window.limit

    def open(self, chunks: Iterable[Chunk], *, count: int, size: ChunkSize) -> Opening:
        """Open as `ask` does, and return what `opened` does."""
        self.ask(chunks, count=count, size=size)
        return self.opened()

    def ask(self, chunks: Iterable[Chunk], *, count: int, size: ChunkSize, first: int = 0) -> None:
        """Send the transaction that opens and ask for the first chunks; `opened` reads what comes before these.

        Args:
            chunks: What `read` yields, after `opened`.
            count: Values in them.
            size: How long values are at most, which is what the window counts until their mean is known.
            first: How many of the newest values `opened` is to return.

        Redis: MULTI HMGET TIME LLEN LRANGE LRANGE EXEC, with the first transactions of `read` in the same round trip.
        """
        key = self._key
        self._watch.read()  # before anything is asked for on the other connection
        self._is_ending = False
        self._connection = self._endpoint.batch(key)
        self._connection.limit_replies(_MOST_REPLY_BYTES)
        commands: list[Command] = [self._guard, ("TIME",), ("LLEN", key), ("LRANGE", key, -1, -1)]
        if first:
            commands.append(("LRANGE", key, 0, first - 1))
        self._connection.send_transaction(*commands)
        self._opening = commands
        self._chunks, self._together, self.left = iter(chunks), size.together, count
        self._value_bytes = float(size.value_bytes + _VALUE_OVERHEAD_BYTES)
        self.ask_ahead()

    def opened(self) -> Opening:
        """Return what the transaction of `ask` found, with the newest values.

        Raises:
            SegmentChangedError: The state no longer names what was expected.
            WrongKeyError: The key holds no list.
        """
        commands = self._opening
        keys = [self._state_key, "", *[self._key] * (len(commands) - 2)]
        replies = self._connection.read_transaction(len(commands), keys=keys)
        self._require_expected(replies[0] if replies else None)
        _, now, length, last, *newest = self._connection.checked(commands, replies or [])
        return Opening(length, _server_us(now), newest[0] if newest else [], last[0] if last else None)

    def read(self) -> Iterator[tuple[Chunk, list[bytes]]]:
        """Yield the chunks given to `ask` with their values, fewer where the list is shorter.

        Raises SegmentChangedError if the state no longer names what was expected.

        Redis: MULTI [HMGET, LRANGE of each chunk] EXEC; LRANGE costs O(offset in nodes + chunk).
        """
        while self._asked:
            self.keep_alive()
            group = self._asked.popleft()
            state, *values = self._connection.read_transaction(1 + len(group)) or [None]
            self._require_expected(state)
            self._require_lists(values)
            self._measure(values[0])
            self.ask_ahead()
            yield from zip(group, values, strict=True)
        with self._watching:
            self._is_ending = True
            for _ in range(self._pings):
                self._watch.read()
            self._watch.send_transaction(("LLEN", self._key), ("TIME",))

    def keep_alive(self) -> None:
        """Send something on the watching connection once a second: servers and proxies close idle ones, some soon.

        The reply is read in the end. Any thread may call it, so that it is sent also while a chunk takes long to come.

        Redis: PING.
        """
        with self._watching:
            if not self._is_ending and time.monotonic() > self._ping_at:
                self._ping_at = time.monotonic() + PING_EVERY_S
                self._pings += 1
                self._watch.send(pack("PING"), replies=1)

    def ask_ahead(self) -> None:
        """Ask for as many chunks as the window has room for; all were asked for when none is `left`."""
        while group := self._group or list(islice(self._chunks, self._together)):
            self._group = group
            values = sum(chunk.values for chunk in group)
            flight_bytes = int(values * self._value_bytes) + _TRANSACTION_BYTES
            if not self._connection.flights.has_room(flight_bytes):
                return
            ranges = [pack("LRANGE", self._key, chunk.start, chunk.stop) for chunk in group]
            packed = self._begin + b"".join(ranges) + self._end
            self._connection.send(packed, replies=len(group) + 3, flight_bytes=flight_bytes)
            self._asked.append(group)
            self._group = []
            self.left -= values

    def _measure(self, values: list[bytes]) -> None:
        """Follow the length of the values: longer ones count at once, since a server keeps what is asked for ahead."""
        sample = values[::_SAMPLE_EVERY]
        if not is_texts(sample):
            raise self.strange_values()
        if sample:
            mean = sum(map(len, sample)) / len(sample) + _VALUE_OVERHEAD_BYTES
            self._value_bytes = max(mean, 0.75 * self._value_bytes + 0.25 * mean)

    def strange_values(self) -> HandoverError:
        """Return the error for values that are none."""
        return self._connection.strange("LRANGE")

    def _require_lists(self, found: list[list[bytes]]) -> None:
        if not all(map(is_list, found)):
            raise self.strange_values()

    def _require_expected(self, state: list[bytes | None] | None) -> None:
        if state != self._expected:
            raise SegmentChangedError(
                where=self._key, expected="one list from its head to its tail", got="another run's in between"
            )

    def require_untouched(self, count: int) -> int:
        """Return the server's clock; SegmentChangedError if list or state changed before the end of `read`.

        Redis: MULTI LLEN TIME EXEC, which `read` has sent at its end.
        """
        reply = self._watch.read_transaction(2, keys=[self._key])
        if reply is None or reply[0] != count:
            raise SegmentChangedError(where=self._key, expected="a list at rest", got="a change while it was read")
        return _server_us(self._watch.checked([("LLEN",), ("TIME",)], reply)[1])

    def close(self) -> None:
        """Give both connections back."""
        with self._watching:
            self._is_ending = True
            self._watch.close()
        self._connection.close()


def _server_us(reply: list[bytes]) -> int:
    seconds, rest = reply
    return microseconds((int(seconds), int(rest)))
