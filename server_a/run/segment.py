"""From a range of values to a published segment, in as many attempts as it takes."""

from __future__ import annotations

import time
from contextlib import closing

from server_a.run.context import RunContext
from server_a.run.publish import Publication, is_published, publish
from server_a.run.record import RunJournal
from server_a.run.writer import SegmentWriter
from shared.endpoint.batch_connection import BatchConnection
from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.segments import SegmentRange
from shared.state import SegmentState

MAX_ATTEMPTS = 100
WAIT_MS = 1_000


class SegmentProducer:
    """Writes and publishes segments, and counts what that took.

    Attributes:
        last_token: Of the attempt begun last, or of a later one that was published before.
        attempts: Attempts begun.
        values_written: Values of the segments published here.
        longest: Bytes of the longest value of the segment last written.
        write_s: Seconds from the first LPUSH sent to the last publication.
    """

    def __init__(self, run: RunContext, journal: RunJournal) -> None:
        """Start with nothing written."""
        self._run = run
        self._journal = journal
        self.last_token = run.record.run_id
        self._publication: Publication | None = None
        self._counted = 0
        self._started: float | None = None
        self._lost_staging_keys: list[str] = []
        self.attempts = 0
        self.values_written = 0
        self.longest = 0
        self.write_s = 0.0

    def follow(self, attempt: str) -> None:
        """Have every further attempt sort after one that was published before, whatever the server's clock says now."""
        self.last_token = max(self.last_token, attempt)

    def require_replicas(self, number: int, attempt: str) -> None:
        """Wait, where that was asked for, until enough replicas have a segment that is published.

        Redis:
            MULTI LPUSH UNLINK EXEC on a staging key, since WAIT waits for what its own connection has written; WAIT.
        """
        run = self._run
        wanted = run.settings.min_replicas
        if not wanted:
            return
        key = run.keys.segment(number)
        staging_key = run.keys.staging(key, attempt)

        def wait() -> None:
            with closing(run.endpoint.batch(key)) as connection:
                connection.transaction(("LPUSH", staging_key, ""), ("UNLINK", staging_key))
                self._wait_for_replicas(connection, wanted)

        run.retry.keep_trying(wait)

    def write(self, segment: SegmentRange) -> SegmentState:
        """Write a segment under its name and return the state it was published with.

        Raises:
            SupersededError: A newer run has published there.
            NotFinishedError: A stop was requested, memory is full, no server answered for too long, or 100 attempts
                failed.
            HandoverError: The endpoint is lost for good, or refuses a command.
        """
        key = self._run.keys.segment(segment.number)
        for _ in range(MAX_ATTEMPTS):
            self._run.check_stop()
            self._publication = None
            self._counted = self.longest = 0
            self.last_token = attempt = self._journal.begin_attempt(segment.number, after=self.last_token)
            staging_key = self._run.keys.staging(key, attempt)
            try:
                state = self._attempt(segment, key, staging_key, attempt)
            except TransientError as error:
                self._run.log.warning("attempt lost", segment=segment.number, attempt=attempt, reason=str(error))
                self._lost_staging_keys.append(staging_key)
                recovered = self._recover(error, staging_key)
                if recovered is None:
                    continue
                state = recovered
            except HandoverError:
                self._abandon(staging_key)
                raise
            self._run.retry.succeeded()
            self.values_written += state.count
            self.write_s = time.monotonic() - (self._started or 0.0)
            return state
        raise NotFinishedError(where=key, expected="one attempt to succeed", got=f"{MAX_ATTEMPTS} that failed")

    def remove_lost(self) -> None:
        """Remove the staging keys of all lost attempts once more: late bytes of a connection may have made one again.

        Redis:
            UNLINK for each; O(1).
        """
        for staging_key in self._lost_staging_keys:
            self._run.retry.keep_trying(self._unlink, staging_key)

    def _attempt(self, segment: SegmentRange, key: str, staging_key: str, attempt: str) -> SegmentState:
        """Write and publish once, over a connection that is used for nothing else meanwhile."""
        run = self._run
        self.attempts += 1
        self._started = self._started or time.monotonic()
        with closing(run.endpoint.batch(key)) as connection:
            writer = SegmentWriter(connection, staging_key, on_batch=self._count)
            written = writer.write(run.source.batches(segment))
        state = SegmentState(run.record.run_id, attempt, written.count, written.digest)
        self._publication = Publication(segment.number, key, staging_key, state, written.blocks)
        publish(run.endpoint, run.keys, self._publication, overwrite=run.settings.overwrite)
        self.require_replicas(segment.number, attempt)
        return state

    def _count(self, values: int, longest: int) -> None:
        self._counted += values
        self.longest = max(self.longest, longest)
        self._run.progress.add(values)
        self._journal.count(values)
        self._run.retry.succeeded()
        self._run.check_stop()

    def _recover(self, error: TransientError, staging_key: str) -> SegmentState | None:
        """Wait the fault out; return the state if it was published all the same, else clear the attempt away."""
        run = self._run
        run.retry.wait_out(error)
        publication = self._publication
        if publication is not None and run.retry.keep_trying(is_published, run.endpoint, run.keys, publication):
            self.require_replicas(publication.number, publication.state.attempt)
            return publication.state
        run.retry.keep_trying(self._unlink, staging_key)
        run.progress.add(-self._counted)
        self._journal.count(-self._counted)
        return None

    def _unlink(self, staging_key: str) -> None:
        self._run.endpoint.at(staging_key).unlink(staging_key)

    def _abandon(self, staging_key: str) -> None:
        """Remove what a failed attempt wrote, if that can be done at once; its time to live does it otherwise."""
        try:
            self._unlink(staging_key)
        except HandoverError as error:
            self._run.log.warning("staging key left to its time to live", key=staging_key, reason=str(error))

    def _wait_for_replicas(self, connection: BatchConnection, wanted: int) -> None:
        """Wait until enough replicas have all that this connection has written.

        Redis:
            WAIT; blocks at most a second each time.
        """
        while (acknowledged := connection.call("WAIT", wanted, WAIT_MS)) < wanted:
            self._run.retry.wait_out(
                TransientError(
                    where=self._run.endpoint.name,
                    expected=f"{wanted} replicas that have the segment",
                    got=f"{acknowledged}",
                    advice="check the replicas, or lower --min-replicas",
                    answered=True,
                )
            )
