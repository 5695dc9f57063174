"""From a range of values to a published segment, in as many attempts as it takes."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from server_a.run.publish import Publication, is_published, publish
from server_a.run.record import RunJournal
from server_a.run.settings import RunSettings
from server_a.run.states import PublishedSegment
from server_a.run.values import ValueSource
from server_a.run.writer import SegmentWriter
from shared.endpoint.batch_connection import BatchConnection
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.program.progress import Progress
from shared.record import RunRecord
from shared.segments import SegmentRange
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_ATTEMPTS = 100
WAIT_MS = 1_000


class SegmentProducer:
    """Writes and publishes segments, and counts what that took.

    Attributes:
        attempts: Attempts begun.
        values_written: Values of the segments published here.
        write_s: Seconds from the first LPUSH sent to the last publication.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        record: RunRecord,
        source: ValueSource,
        settings: RunSettings,
        *,
        journal: RunJournal,
        retry: Retry,
        progress: Progress,
        stop: StopRequest,
        log: FilteringBoundLogger,
    ) -> None:
        """Start with nothing written."""
        self._endpoint = endpoint
        self._keys = keys
        self._record = record
        self._source = source
        self._settings = settings
        self._journal = journal
        self._retry = retry
        self._progress = progress
        self._stop = stop
        self._log = log
        self._publication: Publication | None = None
        self._counted = 0
        self._longest = 0
        self._started: float | None = None
        self._last_token = record.run_id
        self._lost_staging_keys: list[str] = []
        self.attempts = 0
        self.values_written = 0
        self.write_s = 0.0

    def follow(self, attempt: str) -> None:
        """Have every further attempt sort after one that was published before, whatever the server's clock says now."""
        self._last_token = max(self._last_token, attempt)

    def require_replicas(self, number: int, attempt: str) -> None:
        """Wait, where that was asked for, until enough replicas have a segment that is published.

        Redis:
            MULTI LPUSH UNLINK EXEC on a staging key, since WAIT waits for what its own connection has written; WAIT.
        """
        wanted = self._settings.min_replicas
        if not wanted:
            return
        key = self._keys.segment(number)
        staging_key = self._keys.staging(key, attempt)

        def wait() -> None:
            with closing(self._endpoint.batch(key)) as connection:
                connection.transaction(("LPUSH", staging_key, ""), ("UNLINK", staging_key))
                self._wait_for_replicas(connection, wanted)

        self._retry.keep_trying(wait)

    def write(self, segment: SegmentRange) -> PublishedSegment:
        """Write a segment under its name and return what was published.

        Raises:
            SupersededError: A newer run has published there.
            NotFinishedError: A stop was requested, memory is full, no server answered for too long, or 100 attempts
                failed.
            HandoverError: The endpoint is lost for good, or refuses a command.
        """
        key = self._keys.segment(segment.number)
        for _ in range(MAX_ATTEMPTS):
            self._stop.check(f"run {self._record.run_id}")
            self._publication = None
            self._counted = self._longest = 0
            self._last_token = attempt = self._journal.begin_attempt(segment.number, after=self._last_token)
            staging_key = self._keys.staging(key, attempt)
            try:
                state = self._attempt(segment, key, staging_key, attempt)
            except TransientError as error:
                self._log.warning("attempt lost", segment=segment.number, attempt=attempt, reason=str(error))
                self._lost_staging_keys.append(staging_key)
                recovered = self._recover(error, staging_key)
                if recovered is None:
                    continue
                state = recovered
            except HandoverError:
                self._abandon(staging_key)
                raise
            self._retry.succeeded()
            self.values_written += state.count
            self.write_s = time.monotonic() - (self._started or 0.0)
            return PublishedSegment(state, longest=self._longest)
        raise NotFinishedError(where=key, expected="one attempt to succeed", got=f"{MAX_ATTEMPTS} that failed")

    def remove_lost(self) -> None:
        """Remove the staging keys of all lost attempts once more: late bytes of a connection may have made one again.

        Redis:
            UNLINK for each; O(1).
        """
        for staging_key in self._lost_staging_keys:
            self._retry.keep_trying(self._unlink, staging_key)

    def _attempt(self, segment: SegmentRange, key: str, staging_key: str, attempt: str) -> SegmentState:
        """Write and publish once, over a connection that is used for nothing else meanwhile."""
        self.attempts += 1
        self._started = self._started or time.monotonic()
        with closing(self._endpoint.batch(key)) as connection:
            writer = SegmentWriter(connection, staging_key, on_batch=self._count)
            written = writer.write(self._source.batches(segment))
        state = SegmentState(self._record.run_id, attempt, written.count, written.digest)
        self._publication = Publication(segment.number, key, staging_key, state, written.blocks)
        publish(self._endpoint, self._keys, self._publication, overwrite=self._settings.overwrite)
        self.require_replicas(segment.number, attempt)
        return state

    def _count(self, values: int, longest: int) -> None:
        self._counted += values
        self._longest = max(self._longest, longest)
        self._progress.add(values)
        self._journal.count(values)
        self._retry.succeeded()
        self._stop.check(f"run {self._record.run_id}")

    def _recover(self, error: TransientError, staging_key: str) -> SegmentState | None:
        """Wait the fault out; return the state if it was published all the same, else clear the attempt away."""
        self._retry.wait_out(error)
        publication = self._publication
        if publication is not None and self._retry.keep_trying(is_published, self._endpoint, self._keys, publication):
            self.require_replicas(publication.number, publication.state.attempt)
            return publication.state
        self._retry.keep_trying(self._unlink, staging_key)
        self._progress.add(-self._counted)
        self._journal.count(-self._counted)
        return None

    def _unlink(self, staging_key: str) -> None:
        self._endpoint.at(staging_key).unlink(staging_key)

    def _abandon(self, staging_key: str) -> None:
        """Remove what a failed attempt wrote, if that can be done at once; its time to live does it otherwise."""
        try:
            self._unlink(staging_key)
        except HandoverError as error:
            self._log.warning("staging key left to its time to live", key=staging_key, reason=str(error))

    def _wait_for_replicas(self, connection: BatchConnection, wanted: int) -> None:
        """Wait until enough replicas have all that this connection has written.

        Redis:
            WAIT; blocks at most a second each time.
        """
        while (acknowledged := connection.call("WAIT", wanted, WAIT_MS)) < wanted:
            self._retry.wait_out(
                TransientError(
                    where=self._endpoint.name,
                    expected=f"{wanted} replicas that have the segment",
                    got=f"{acknowledged}",
                    advice="check the replicas, or lower --min-replicas",
                    answered=True,
                )
            )
