"""Following a read-only replica: read signals with XREAD and keep a checkpoint in a local file.

A replica has no group to share segments in and takes no verdicts. They are kept in memory until the run is complete and
reported, and only then the checkpoint moves. A kill costs a second reading. It costs a second report only if it comes
between the report and one rename: the next checkpoint is on the disk before the report.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_b.follow.checkpoint import START, Checkpoint
from server_b.follow.followed_runs import FollowedRuns
from server_b.follow.followed_signals import FollowedSignals
from server_b.follow.follower_state import FollowerState
from server_b.follow.patient_examiner import Announced, PatientExaminer
from server_b.follow.primary_again import wait_for_primary
from server_b.follow.signal_stream import BLOCK_MS, SignalStream
from server_b.lease import GivenBack, Lease
from server_b.report.once import Reports
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.progress import RunProgress
from server_b.serving import Faults, Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_kind import ask_kind
from shared.entry_ids import order_of
from shared.errors import InvalidInputError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.program.telemetry.telling import ConsumerTelemetry
from shared.signal import Signal

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@dataclass
class Follower:
    """Reads the stream entry by entry."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    serving: Serving
    lease: Lease
    retry: Retry
    reports: Reports
    examiner: SegmentExaminer
    progress: RunProgress
    log: FilteringBoundLogger
    telemetry: ConsumerTelemetry = field(default_factory=ConsumerTelemetry)

    def __post_init__(self) -> None:
        """Name stream and files."""
        self._stream = SignalStream(self.endpoint, self.keys)
        folder, namespace = self.settings.state_directory, self.keys.namespace
        self._state = FollowerState(folder, endpoint=self.endpoint.name, namespace=namespace)

    def run(self, *, was_group: bool) -> None:
        """Follow until serving is over or the endpoint is a primary, as one that was a replica for a moment is again.

        What was complete when we left a group (`was_group`) was reported there.

        One that served a group, and can't follow here, waits for the primary.

        Raises:
            InvalidInputError: Its files can't be read or written.
            NotFinishedError: Another process follows it, nothing came in time, or it was not ready for too long.
            EndpointUnreachableError: It did not answer for as long as is retried, or cut every reading of an entry.
            WrongKeyError: The stream is somebody else's.
        """
        with ExitStack() as stack:
            try:
                checkpoint = stack.enter_context(self._state.held())
            except (InvalidInputError, NotFinishedError) as error:
                if not was_group:
                    raise
                self.log.warning("can't follow, waiting until the endpoint takes writes again", reason=str(error))
                wait_for_primary(self.endpoint, self._stream.key, self.serving, self.lease, self.retry)
            else:
                self._follow(checkpoint, was_group=was_group)

    def _follow(self, checkpoint: Checkpoint, *, was_group: bool) -> None:
        self._faults, self._idle_at_s = Faults(), 0.0
        actors = (self.settings, self.examiner, self.progress, self.log, self.telemetry)
        self._patient = PatientExaminer(self.endpoint, self.keys, *actors)
        self._signals = FollowedSignals(
            self.endpoint, self.keys, self._stream, self._state, self._patient, self.reports, FollowedRuns(checkpoint),
            run_id=self.settings.run_id, was_group=was_group,
        )  # fmt: skip
        self._cursor = START if self.settings.run_id else checkpoint.after
        path = str(self._state.path)
        self.log.info("following a replica", stream=self._stream.key, after=self._cursor, checkpoint=path)
        while not self.serving.is_over:
            try:
                self._stream.require_ours()
                self._rewind_after_failover()
                while not self.serving.is_over:
                    has_read = self._turn()
                    self.retry.succeeded()
                    if not has_read and not ask_kind(self.endpoint.at(self._stream.key))[0].is_replica:
                        return
            except TransientError as error:
                self.serving.wait_out(error)
                if not self.serving.is_over:
                    self.serving.back_off(error, self._faults, self.lease)

    def _rewind_after_failover(self) -> None:
        """Read a stream from its beginning whose last id is before our cursor: it is another one, or lost entries."""
        last = self._stream.newest_id()
        if last != START:
            self.lease.found_something()
        if order_of(last) < order_of(self._cursor):
            self.log.warning("stream is older than the checkpoint, reading it anew", last_id=last)
            self._cursor = START
            self._signals.read_anew()
        if self.settings.run_id and self._cursor == START != last:  # others' signals would be passed over one by one
            self._cursor = self._stream.last_before(self.settings.run_id)

    def _turn(self) -> bool:
        """Go on with a signal whose list was missing, or with the next entry; return False when it is time to idle."""
        self.lease.beat()
        if (waited := self._patient.ready()) is not None:
            self._bring(waited.entry_id, lambda: self._signals.handle(waited, cursor=self._cursor))
            return True
        entry = self._stream.next_entry(after=self._cursor, block_ms=self._patient.block_ms(BLOCK_MS))
        if entry is not None:
            self.lease.found_something()
            if self._bring(entry[0], lambda: self._handle_entry(*entry)):
                self._cursor = entry[0]
            return True
        if time.monotonic() >= self._idle_at_s:  # else we look for missing lists, several times a second
            self._idle_at_s = time.monotonic() + BLOCK_MS / 1_000 / 2
            self._rewind_after_failover()  # a replica may get another stream without closing our connection
            self.progress.rest()
            self._signals.look_again(cursor=self._cursor)
            self.lease.check_wait()
            return False
        self.lease.check_wait()
        return True

    def _bring(self, entry_id: str, handle: Callable[[], bool]) -> bool:
        """Handle what came by an entry; return False if a stop request ended that, so that it counts as unread."""
        try:
            has_come = handle()
        except GivenBack:
            return False
        except TransientError as error:
            if entry_id not in self._faults:
                self.lease.made_progress()  # a reading may take longer than `--wait-s`, and so may the second one
            if self._faults.note(entry_id):
                raise error.lasting() from error
            raise
        self._faults.pop(entry_id, None)
        if has_come:
            self.lease.made_progress()
        elif not self.serving.is_over:  # lists that never come must not start `--wait-s` anew
            self.lease.check_wait()
        return True

    def _handle_entry(self, entry_id: str, fields: dict[bytes, bytes]) -> bool:
        try:
            signal = Signal.decode(fields)
        except InvalidInputError as error:
            self.log.warning("entry skipped", entry_id=entry_id, reason=str(error))
            return True
        return self._signals.handle(Announced(signal, entry_id, self._cursor), cursor=self._cursor)
