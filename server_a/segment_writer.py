"""One attempt at writing one segment into its staging key.

An attempt is never mended: after any doubt it is abandoned with its connection and its key, and the segment is written
again under a new token. Continuing at the length the server reports was rejected: a batch of the dead connection may
still arrive and double what was continued (tests/integration/test_late_batches.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from server_a.values import Batch
from shared.digest import SegmentDigest
from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError

WINDOW_BATCHES = 4
STAGING_TTL_S = 3600
RENEW_TTL_AFTER_S = 600


@dataclass(frozen=True)
class WrittenSegment:
    """What an attempt has put into its staging key."""

    count: int
    digest: str


class SegmentWriter:
    """Writes batches over one wire and checks every reply."""

    def __init__(self, wire: Wire, staging_key: str, *, on_batch: Callable[[int, int], None]) -> None:
        """Prepare an attempt.

        Args:
            wire: A connection to the server that holds the staging key; nothing else may be in flight on it.
            staging_key: A key that nobody has written to.
            on_batch: Called with the values of each batch sent and the longest's bytes; may raise to end the attempt.
        """
        self._wire = wire
        self._key = staging_key
        self._on_batch = on_batch
        self._digest = SegmentDigest()
        self._length = 0
        self._in_flight: deque[int] = deque()
        self._ttl_set_at = 0.0
        name = b"LPUSHX"
        key = staging_key.encode()
        self._command_tail = b"\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(key), key)

    def write(self, batches: Iterable[Batch]) -> WrittenSegment:
        """Write all batches, four in flight.

        LPUSHX, not LPUSH, from the second batch on: where the key expired or was unlinked it answers 0, and makes none.

        Raises:
            ConnectionLostError: The connection is lost or a reply is not the length it should be; begin anew.
            NotFinishedError: The server's memory is full.

        Redis:
            MULTI, LPUSH, EXPIRE, EXEC; then LPUSHX, at most 1,000 values each, O(values); EXPIRE every ten minutes.
        """
        for batch in batches:
            self._digest.add(batch.joined, batch.values)
            if self._length == 0:
                self._create(batch)
            else:
                self._send(batch)
            self._on_batch(batch.values, batch.longest)
        while self._in_flight:
            self._check_reply()
        return WrittenSegment(self._length, self._digest.hexdigest())

    def _create(self, batch: Batch) -> None:
        """Make the key and its time to live together, so that no crash leaves a key that stays for ever."""
        push = self._push_command(batch).replace(b"$6\r\nLPUSHX", b"$5\r\nLPUSH", 1)
        self._wire.send(b"".join([self._wire.pack("MULTI"), push, self._expire_command(), self._wire.pack("EXEC")]))
        self._length += batch.values
        self._ttl_set_at = time.monotonic()
        self._require(self._wire.read_transaction(2), [batch.values, 1])

    def _send(self, batch: Batch) -> None:
        if time.monotonic() - self._ttl_set_at > RENEW_TTL_AFTER_S:
            self._ttl_set_at = time.monotonic()
            self._wire.send(self._expire_command())
            self._in_flight.append(1)
        self._wire.send(self._push_command(batch))
        self._length += batch.values
        self._in_flight.append(self._length)
        while len(self._in_flight) >= WINDOW_BATCHES:
            self._check_reply()

    def _push_command(self, batch: Batch) -> bytes:
        return b"*%d%b%b" % (batch.values + 2, self._command_tail, batch.bulk)

    def _expire_command(self) -> bytes:
        return self._wire.pack("EXPIRE", self._key, STAGING_TTL_S)

    def _check_reply(self) -> None:
        self._require(self._wire.read(), self._in_flight.popleft())

    def _require(self, reply: object, expected: object) -> None:
        if reply != expected:
            raise ConnectionLostError(where=self._key, expected=f"the reply {expected}", got=f"{reply}", answered=True)
