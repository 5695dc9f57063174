"""Announcing a published segment: the signal in the stream."""

from __future__ import annotations

import time

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_clock import ServerClock
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.signal import Signal
from shared.state import SegmentState


class Announcer:
    """Sends signals.

    Attributes:
        signal_s: Seconds spent on that so far.
    """

    def __init__(
        self, endpoint: Endpoint, keys: Keyspace, record: RunRecord, *, retry: Retry, clock: ServerClock
    ) -> None:
        """Announce the segments of a run."""
        self._endpoint = endpoint
        self._key = keys.signals()
        self._record = record
        self._retry = retry
        self._clock = clock
        self.signal_s = 0.0

    def announce(self, number: int, state: SegmentState) -> str:
        """Send the signal of a segment and return its stream id; when the reply is lost, send it again.

        B takes a repeated signal for what it is.

        Redis:
            XADD with MINID, which trims the stream to the retention; O(1).
        """
        signal = Signal(state.run_id, state.attempt, number, self._record.segments, state.count, state.digest)
        started = time.monotonic()
        signal_id = self._retry.keep_trying(self._send, signal)
        self.signal_s += time.monotonic() - started
        return signal_id

    def _send(self, signal: Signal) -> str:
        # the server's clock, as for the entry's id: a token may lie ahead of it, by more than the retention
        oldest_ms = max(0, self._clock.now_ms() - self._record.retain_ms)
        fields = dict(signal.encode())
        entry_id: bytes = self._endpoint.at(self._key).xadd(self._key, fields, minid=oldest_ms, approximate=False)  # type: ignore[arg-type, assignment]
        return entry_id.decode()
