"""One attempt at writing one segment into its staging key.

After any doubt an attempt is abandoned with its connection and its key, and the segment is written again under a new
token. Continuing at the length that the server reports was rejected: a batch of the dead connection may still arrive
and would then be there twice (tests/faults/test_late_batches.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from server_a.run.values import Batch
from shared.digest import SegmentDigest
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.errors import TransientError

WINDOW_BYTES = 512 * 1024
STAGING_TTL_S = 3600
RENEW_TTL_AFTER_S = 600


@dataclass(frozen=True)
class WrittenSegment:
    """What an attempt has put into its staging key; `blocks` are the concatenated raw digests of its blocks."""

    count: int
    digest: str
    blocks: bytes


@dataclass
class SegmentWriter:
    """Writes batches over one connection, which is used for nothing else, and checks every reply."""

    connection: BatchConnection
    staging_key: str  # never written to before
    on_batch: Callable[[int, int], None]  # gets the values of each batch sent and the bytes of the longest; may raise
    digest: SegmentDigest = field(init=False, default_factory=SegmentDigest)
    length: int = field(init=False, default=0)
    in_flight: deque[tuple[object, int]] = field(init=False, default_factory=deque)  # expected reply, bytes
    in_flight_bytes: int = field(init=False, default=0)
    ttl_set_at: float = field(init=False, default=0.0)

    def write(self, batches: Iterable[Batch]) -> WrittenSegment:
        """Write all batches, with at most 512 KiB in flight; a larger batch is sent alone.

        Raises TransientError also when a reply is not the expected length; begin a new attempt.

        Redis: MULTI, LPUSH, EXPIRE, EXEC; then LPUSHX, at most 1,000 values each, O(values); EXPIRE every ten minutes.
        """
        for batch in batches:
            self.digest.add(batch.joined, batch.values)
            self._push(batch)
            self.on_batch(batch.values, batch.longest)
        while self.in_flight:
            self._check_reply()
        return WrittenSegment(self.length, self.digest.hexdigest(), bytes(self.digest.blocks))

    def _push(self, batch: Batch) -> None:
        is_first = self.length == 0
        self.length += batch.values
        if is_first:  # in one transaction, so that a crash leaves no key without a TTL
            commands = [pack("MULTI"), self._packed(b"$5\r\nLPUSH", batch), self._expire(), pack("EXEC")]
            self._send(b"".join(commands), expected=[batch.values, 1], replies=len(commands))
            self.ttl_set_at = time.monotonic()
            return
        if time.monotonic() - self.ttl_set_at > RENEW_TTL_AFTER_S:
            self.ttl_set_at = time.monotonic()
            self._send(self._expire(), expected=1)
        # LPUSHX answers 0 if the key expired or was unlinked; LPUSH would create it again
        self._send(self._packed(b"$6\r\nLPUSHX", batch), expected=self.length)

    def _expire(self) -> bytes:
        return pack("EXPIRE", self.staging_key, STAGING_TTL_S)

    def _packed(self, name: bytes, batch: Batch) -> bytes:
        key = self.staging_key.encode()
        return b"*%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (batch.values + 2, name, len(key), key, batch.bulk)

    def _send(self, packed: bytes, *, expected: object, replies: int = 1) -> None:
        """Send a command, or a transaction whose last reply is a list, as soon as the window has room for it."""
        while self.in_flight and self.in_flight_bytes + len(packed) > WINDOW_BYTES:
            self._check_reply()
        self.connection.send(packed, replies=replies)
        self.in_flight.append((expected, len(packed)))
        self.in_flight_bytes += len(packed)

    def _check_reply(self) -> None:
        expected, size = self.in_flight.popleft()
        self.in_flight_bytes -= size
        is_transaction = isinstance(expected, list)
        connection, key = self.connection, self.staging_key
        reply = connection.read_transaction(2) if is_transaction else connection.read(key=key)
        if reply != expected:
            raise TransientError(where=key, expected=f"the reply {expected}", got=f"{reply}", answered=True)
