"""One attempt at writing one segment into its staging key.

After any doubt an attempt is abandoned with its connection and its key, and the segment is written again under a new
token. Continuing at the length that the server reports was rejected: a batch of the dead connection may still arrive
and would then be there twice (tests/faults/test_late_batches.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from server_a.run.tasks import WrittenSegment
from server_a.run.values import Batch
from shared.digest import SegmentDigest
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.errors import TransientError

STAGING_TTL_S = 3600
RENEW_TTL_AFTER_S = 600


@dataclass
class SegmentWriter:
    """Sends batches over a connection and checks every reply.

    Two attempts may share a connection, one behind the other: whoever reads replies takes those of the first one first.
    """

    connection: BatchConnection
    staging_key: str  # never written to before
    length: int = field(init=False, default=0)  # values sent
    acknowledged: int = field(init=False, default=0)  # values whose replies were read
    longest: int = field(init=False, default=0)  # bytes of the longest value sent
    value_bytes: int = field(init=False, default=0)  # of all values sent
    began_s: float | None = field(init=False, default=None)
    _digest: SegmentDigest = field(init=False, default_factory=SegmentDigest)
    _expected: deque[object] = field(init=False, default_factory=deque)  # replies, in the order of what was sent
    _ttl_set_s: float = field(init=False, default=0.0)

    @property
    def is_answered(self) -> bool:
        """Whether all that was sent has its reply."""
        return not self._expected

    @property
    def may_create(self) -> bool:
        """Whether what is under way may create the key: the first batch does, and its reply was not read yet."""
        return self.length > 0 and not self.acknowledged

    def write(self, batches: Iterable[Batch]) -> WrittenSegment:
        """Write a whole segment over a connection that nobody else uses; see `send`."""
        for batch in batches:
            packed = self.packed(batch)
            while not self.connection.flights.has_room(len(packed)):
                self.check_reply()
            self.send(batch, packed)
        while not self.is_answered:
            self.check_reply()
        return self.finish()

    def packed(self, batch: Batch) -> bytes:
        """Return the command that writes the next batch."""
        if not self.length:  # in one transaction, so that a crash leaves no key without a TTL
            return b"".join([pack("MULTI"), self._push(b"$5\r\nLPUSH", batch), self._expire(), pack("EXEC")])
        # LPUSHX answers 0 if the key expired or was unlinked; LPUSH would create it again
        return self._push(b"$6\r\nLPUSHX", batch)

    def send(self, batch: Batch, packed: bytes) -> None:
        """Send the next batch without waiting; the caller asks the connection for room before.

        Raises TransientError if the connection is lost; begin a new attempt.

        Redis: MULTI, LPUSH, EXPIRE, EXEC; then LPUSHX, at most 1,000 values each, O(values); EXPIRE every ten minutes.
        """
        is_first = not self.length
        now_s = time.monotonic()
        if is_first:
            self.began_s = self._ttl_set_s = now_s
        elif now_s - self._ttl_set_s > RENEW_TTL_AFTER_S:
            self._ttl_set_s = now_s
            expire = self._expire()
            self.connection.send(expire, replies=1, flight_bytes=len(expire))
            self._expected.append(1)
        self.length += batch.values
        self.longest = max(self.longest, batch.longest)
        self.value_bytes += len(batch.joined) - batch.values + 1  # without the newlines that join them
        self.connection.send(packed, replies=4 if is_first else 1, flight_bytes=len(packed))
        self._expected.append([batch.values, 1] if is_first else self.length)
        self._digest.add(batch.joined, batch.values)  # while the batch is under way

    def check_reply(self) -> None:
        """Read the next reply; TransientError also when it is not the expected length: begin a new attempt."""
        expected = self._expected[0]
        is_transaction = isinstance(expected, list)
        connection, key = self.connection, self.staging_key
        reply = connection.read_transaction(2) if is_transaction else connection.read(key=key)
        if reply != expected:
            raise TransientError(where=key, expected=f"the reply {expected}", got=f"{reply!s:.60}", answered=True)
        self._expected.popleft()
        length = expected[0] if isinstance(expected, list) else expected
        assert isinstance(length, int)
        self.acknowledged = max(self.acknowledged, length)  # EXPIRE answers 1

    def finish(self) -> WrittenSegment:
        """Return what was written, when everything is answered."""
        return WrittenSegment(self.length, self._digest.hexdigest(), bytes(self._digest.blocks))

    def _expire(self) -> bytes:
        return pack("EXPIRE", self.staging_key, STAGING_TTL_S)

    def _push(self, name: bytes, batch: Batch) -> bytes:
        key = self.staging_key.encode()
        return b"*%d\r\n%b\r\n$%d\r\n%b\r\n%b" % (batch.values + 2, name, len(key), key, batch.bulk)
