"""From a range of values to a published segment, in as many attempts as it takes."""

from __future__ import annotations

import time

from server_a.publisher import Publication, is_published, publish
from server_a.run_context import RunContext
from server_a.segment_writer import SegmentWriter
from shared.endpoint.wire import Wire
from shared.errors import ConnectionLostError, HandoverError, NotFinishedError
from shared.run_signal import SegmentState
from shared.segments import SegmentRange
from shared.tokens import make_token

MAX_ATTEMPTS = 100
WAIT_MS = 1_000


class SegmentProducer:
    """Writes and publishes segments, and counts what that took.

    Attributes:
        attempts: Attempts begun.
        values_written: Values of the segments published here.
        longest: Bytes of the longest value of the segment last written.
        write_s: Seconds from the first LPUSH sent to the last publication.
    """

    def __init__(self, run: RunContext) -> None:
        """Start with nothing written."""
        self._run = run
        self._last_token = ""
        self._publication: Publication | None = None
        self._counted = 0
        self._started: float | None = None
        self.attempts = 0
        self.values_written = 0
        self.longest = 0
        self.write_s = 0.0

    def follow(self, attempt: str) -> None:
        """Have every further attempt sort after one that was published before, whatever the server's clock says now."""
        self._last_token = max(self._last_token, attempt)

    def require_replicas(self, key: str, attempt: str) -> None:
        """Wait, where that was asked for, until enough replicas have a segment that was published before.

        Redis:
            MULTI LPUSH UNLINK EXEC on a staging key, since WAIT waits for what its own wire has written; WAIT.
        """
        run = self._run
        if not run.settings.min_replicas:
            return
        staging_key = run.keys.staging(key, attempt)

        def wait() -> None:
            wire = run.wires.of(key)
            wire.transaction(("LPUSH", staging_key, ""), ("UNLINK", staging_key))
            self._wait_for_replicas(wire)

        run.wires.patience.keep_trying(wait)

    def write(self, segment: SegmentRange) -> SegmentState:
        """Write a segment under its name and return the state it was published with.

        Raises:
            SupersededError: A newer run has published there.
            NotFinishedError: A stop was requested, memory is full, patience ended, or 100 attempts failed.
            HandoverError: The endpoint is lost for good, or refuses a command.
        """
        key = self._run.segment_key(segment.number)
        for _ in range(MAX_ATTEMPTS):
            self._run.check_stop()
            attempt = staging_key = ""
            self._publication = None
            self._counted = 0
            try:
                attempt = self._next_token(key)
                staging_key = self._run.keys.staging(key, attempt)
                state = self._attempt(segment, key, staging_key, attempt)
            except ConnectionLostError as error:
                self._run.log.warning("attempt lost", segment=segment.number, attempt=attempt, reason=str(error))
                recovered = self._recover(error, key, staging_key)
                if recovered is None:
                    continue
                state = recovered
            except HandoverError:
                self._abandon(key, staging_key)
                raise
            self._run.wires.patience.succeeded()
            self.values_written += state.count
            self.write_s = time.monotonic() - (self._started or 0.0)
            return state
        raise NotFinishedError(where=key, expected="one attempt to succeed", got=f"{MAX_ATTEMPTS} that failed")

    def _next_token(self, key: str) -> str:
        now_ms = self._run.endpoint.server_ms(key)
        self._last_token = make_token(now_ms, after=max(self._last_token, self._run.record.run_id))
        return self._last_token

    def _attempt(self, segment: SegmentRange, key: str, staging_key: str, attempt: str) -> SegmentState:
        """Write and publish once, over a wire that is used for nothing else meanwhile."""
        run = self._run
        self.attempts += 1
        self.longest = 0
        wire = run.wires.of(key)
        self._started = self._started or time.monotonic()
        writer = SegmentWriter(wire, staging_key, on_batch=self._count)
        written = writer.write(run.source.batches(segment))
        state = SegmentState(run.record.run_id, attempt, written.count, written.digest)
        self._publication = Publication(key, staging_key, state)
        publish(wire, run.keys, self._publication, overwrite=run.settings.overwrite)
        if run.settings.min_replicas:
            self._wait_for_replicas(wire)
        return state

    def _count(self, values: int, longest: int) -> None:
        self._counted += values
        self.longest = max(self.longest, longest)
        self._run.progress.add(values)
        self._run.wires.patience.succeeded()
        self._run.check_stop()

    def _recover(self, error: ConnectionLostError, key: str, staging_key: str) -> SegmentState | None:
        """Wait the fault out; return the state if it was published all the same, else clear the attempt away."""
        run = self._run
        run.wires.drop(key)
        run.wires.patience.wait_out(error)
        publication = self._publication
        if (
            publication is not None
            and not run.settings.min_replicas
            and run.wires.patience.keep_trying(lambda: is_published(run.wires.of(key), run.keys, publication))
        ):
            return publication.state
        if staging_key:
            run.wires.repeat("UNLINK", staging_key)
        run.progress.add(-self._counted)
        return None

    def _abandon(self, key: str, staging_key: str) -> None:
        """Remove what a failed attempt wrote, if that can be done at once; its time to live does it otherwise."""
        self._run.wires.drop(key)  # batches may be in flight on it
        if not staging_key:
            return
        try:
            self._run.wires.call("UNLINK", staging_key)
        except HandoverError as error:
            self._run.log.warning("staging key left to its time to live", key=staging_key, reason=str(error))

    def _wait_for_replicas(self, wire: Wire) -> None:
        """Wait until enough replicas have all that this wire has written.

        Redis:
            WAIT; blocks at most a second each time.
        """
        wanted = self._run.settings.min_replicas
        while (acknowledged := wire.call("WAIT", wanted, WAIT_MS)) < wanted:
            self._run.wires.patience.wait_out(
                ConnectionLostError(
                    where=self._run.endpoint.name,
                    expected=f"{wanted} replicas that have the segment",
                    got=f"{acknowledged}",
                    advice="check the replicas, or lower --min-replicas",
                    answered=True,
                )
            )
