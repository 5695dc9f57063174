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

from server_a.run.values import Batch
from shared.digest import SegmentDigest
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.errors import TransientError

WINDOW_BYTES = 512 * 1024
STAGING_TTL_S = 3600
RENEW_TTL_AFTER_S = 600


@dataclass(frozen=True)
class WrittenSegment:
    """What an attempt has put into its staging key; `blocks` are the raw digests of its blocks."""

    count: int
    digest: str
    blocks: bytes


class SegmentWriter:
    """Writes batches over one connection and checks every reply."""

    def __init__(self, connection: BatchConnection, staging_key: str, *, on_batch: Callable[[int, int], None]) -> None:
        """Prepare an attempt.

        Args:
            connection: To the server that holds the staging key; nothing else may be in flight on it.
            staging_key: A key that nobody has written to.
            on_batch: Called with the values of each batch sent and the longest's bytes; may raise to end the attempt.
        """
        self._connection = connection
        self._key = staging_key
        self._on_batch = on_batch
        self._digest = SegmentDigest()
        self._length = 0
        self._in_flight: deque[tuple[object, int]] = deque()
        self._in_flight_bytes = 0
        self._ttl_set_at = 0.0
        key = staging_key.encode()
        self._behind_name = b"\r\n$%d\r\n%b\r\n" % (len(key), key)

    def write(self, batches: Iterable[Batch]) -> WrittenSegment:
        """Write all batches, with at most 512 KiB in flight; a larger batch goes alone.

        LPUSHX, not LPUSH, from the second batch on: where the key expired or was unlinked it answers 0, and makes none.

        Raises:
            TransientError: The connection is lost or a reply is not the length it should be; begin anew.
            NotFinishedError: The server's memory is full.

        Redis:
            MULTI, LPUSH, EXPIRE, EXEC; then LPUSHX, at most 1,000 values each, O(values); EXPIRE every ten minutes.
        """
        for batch in batches:
            self._digest.add(batch.joined, batch.values)
            if self._length == 0:
                self._create(batch)
            else:
                self._append(batch)
            self._on_batch(batch.values, batch.longest)
        while self._in_flight:
            self._check_reply()
        return WrittenSegment(self._length, self._digest.hexdigest(), bytes(self._digest.blocks))

    def _create(self, batch: Batch) -> None:
        """Make the key and its time to live together, so that no crash leaves a key that stays for ever."""
        self._length = batch.values
        commands = [pack("MULTI"), self._push(b"$5\r\nLPUSH", batch), self._expire(), pack("EXEC")]
        self._send(b"".join(commands), expected=[batch.values, 1], replies=len(commands))
        self._ttl_set_at = time.monotonic()

    def _append(self, batch: Batch) -> None:
        if time.monotonic() - self._ttl_set_at > RENEW_TTL_AFTER_S:
            self._ttl_set_at = time.monotonic()
            self._send(self._expire(), expected=1)
        self._length += batch.values
        self._send(self._push(b"$6\r\nLPUSHX", batch), expected=self._length)

    def _push(self, name: bytes, batch: Batch) -> bytes:
        return b"*%d\r\n%b%b%b" % (batch.values + 2, name, self._behind_name, batch.bulk)

    def _expire(self) -> bytes:
        return pack("EXPIRE", self._key, STAGING_TTL_S)

    def _send(self, packed: bytes, *, expected: object, replies: int = 1) -> None:
        """Send a command, or a transaction whose last reply is a list, once there is room for it in the window."""
        while self._in_flight and self._in_flight_bytes + len(packed) > WINDOW_BYTES:
            self._check_reply()
        self._connection.send(packed, replies=replies)
        self._in_flight.append((expected, len(packed)))
        self._in_flight_bytes += len(packed)

    def _check_reply(self) -> None:
        expected, size = self._in_flight.popleft()
        self._in_flight_bytes -= size
        is_transaction = isinstance(expected, list)
        reply = self._connection.read_transaction(2) if is_transaction else self._connection.read(key=self._key)
        if reply != expected:
            raise TransientError(where=self._key, expected=f"the reply {expected}", got=f"{reply}", answered=True)
