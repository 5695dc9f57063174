"""Writes and publishes one segment, in as many attempts as it takes."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.run.publish import Publication, is_published, publish
from server_a.run.record import RunJournal
from server_a.run.settings import RunSettings
from server_a.run.states import PublishedSegment
from server_a.run.values import ValueSource
from server_a.run.writer import SegmentWriter
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import HandoverError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.segments import SegmentRange
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_ATTEMPTS = 100
WAIT_MS = 1_000


@dataclass
class SegmentProducer:
    """Writes and publishes the segments of a run."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    source: ValueSource
    settings: RunSettings
    journal: RunJournal
    retry: Retry
    stop: StopRequest
    log: FilteringBoundLogger
    attempts: int = field(init=False, default=0)  # begun
    values_written: int = field(init=False, default=0)  # in segments published here
    write_s: float = field(init=False, default=0.0)  # from the first LPUSH sent to the last publication
    started: float | None = field(init=False, default=None)
    publication: Publication | None = field(init=False, default=None)  # None before the attempt has written everything
    counted: int = field(init=False, default=0)  # values that the attempt has sent
    longest: int = field(init=False, default=0)  # bytes of the longest of them
    last_token: str = field(init=False, default="")
    lost_staging_keys: list[str] = field(init=False, default_factory=list)

    def follow(self, attempt: str) -> None:
        """Make every further attempt sort after one that was published before, whatever the server's clock says now."""
        self.last_token = max(self.last_token, attempt)

    def require_replicas(self, number: int, attempt: str) -> None:
        """Wait until --min-replicas replicas have a published segment.

        Redis: MULTI LPUSH UNLINK EXEC on a staging key, because WAIT is about its own connection's writes; WAIT.
        """
        wanted = self.settings.min_replicas
        if not wanted:
            return
        key = self.keys.segment(number)
        staging_key = self.keys.staging(key, attempt)

        def wait() -> None:
            with closing(self.endpoint.batch(key)) as connection:
                connection.transaction(("LPUSH", staging_key, ""), ("UNLINK", staging_key))
                while (acknowledged := connection.call("WAIT", wanted, WAIT_MS)) < wanted:
                    expected, got = f"{wanted} replicas that have the segment", f"{acknowledged}"
                    advice, where = "check the replicas, or lower --min-replicas", self.endpoint.name
                    self.retry.wait_out(
                        TransientError(where=where, expected=expected, got=got, advice=advice, answered=True)
                    )

        self.retry.keep_trying(wait)

    def write(self, segment: SegmentRange) -> PublishedSegment:
        """Write a segment under its name and return what was published; raise NotFinishedError after 100 attempts."""
        key = self.keys.segment(segment.number)
        for _ in range(MAX_ATTEMPTS):
            self.stop.check(f"run {self.record.run_id}")
            self.publication = None
            self.counted = self.longest = 0
            after = max(self.last_token, self.record.run_id)
            self.last_token = attempt = self.journal.begin_attempt(segment.number, after=after)
            staging_key = self.keys.staging(key, attempt)
            try:
                state: SegmentState | None = self._attempt(segment, key, staging_key, attempt)
            except TransientError as error:
                self.log.warning("attempt lost", segment=segment.number, attempt=attempt, reason=str(error))
                self.lost_staging_keys.append(staging_key)
                state = self._recover(error, staging_key)
            except HandoverError:
                self._abandon(staging_key)
                raise
            if state is not None:
                self.retry.succeeded()
                self.values_written += state.count
                self.write_s = time.monotonic() - (self.started or 0.0)
                return PublishedSegment(state, longest=self.longest)
        raise NotFinishedError(where=key, expected="one attempt to succeed", got=f"{MAX_ATTEMPTS} that failed")

    def remove_lost(self) -> None:
        """Remove the staging keys of all lost attempts once more: late bytes may have created one again."""
        for staging_key in self.lost_staging_keys:
            self.retry.keep_trying(self._unlink, staging_key)

    def _attempt(self, segment: SegmentRange, key: str, staging_key: str, attempt: str) -> SegmentState:
        """Write and publish once, on a connection of its own."""
        self.attempts += 1
        self.started = self.started or time.monotonic()
        with closing(self.endpoint.batch(key)) as connection:
            writer = SegmentWriter(connection, staging_key, on_batch=self._count)
            written = writer.write(self.source.batches(segment))
        state = SegmentState(self.record.run_id, attempt, written.count, written.digest)
        self.publication = Publication(segment.number, key, staging_key, state, written.blocks)
        publish(self.endpoint, self.keys, self.publication, overwrite=self.settings.overwrite)
        self.require_replicas(segment.number, attempt)
        return state

    def _count(self, values: int, longest: int) -> None:
        self.counted += values
        self.longest = max(self.longest, longest)
        self.journal.count(values)
        self.retry.succeeded()
        self.stop.check(f"run {self.record.run_id}")

    def _recover(self, error: TransientError, staging_key: str) -> SegmentState | None:
        """Wait until the fault is over; return the state if it was published all the same, else undo the attempt."""
        self.retry.wait_out(error)
        publication = self.publication
        if publication is not None and self.retry.keep_trying(is_published, self.endpoint, self.keys, publication):
            self.require_replicas(publication.number, publication.state.attempt)
            return publication.state
        self.retry.keep_trying(self._unlink, staging_key)
        self.journal.count(-self.counted)
        return None

    def _unlink(self, staging_key: str) -> None:
        self.endpoint.at(staging_key).unlink(staging_key)

    def _abandon(self, staging_key: str) -> None:
        try:
            self._unlink(staging_key)
        except HandoverError as error:  # tried once only: the key expires by itself
            self.log.warning("staging key left to its time to live", key=staging_key, reason=str(error))
