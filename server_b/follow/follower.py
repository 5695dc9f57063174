"""Following a read-only replica: read signals with XREAD and keep a checkpoint in a local file.

A replica has no group to share segments in and takes no verdicts. They are kept in memory until the run is complete and
reported, and only then the checkpoint moves. A kill costs a second reading. It costs a second report only if it comes
between the report and one rename: the next checkpoint is on the disk before the report.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server_b.follow.checkpoint import START, Checkpoint
from server_b.follow.followed_runs import FollowedRuns
from server_b.follow.follower_state import FollowerState
from server_b.follow.patient_examiner import PatientExaminer
from server_b.follow.primary_again import wait_for_primary
from server_b.follow.signal_stream import SignalStream, order_of
from server_b.lease import GivenBack, Lease
from server_b.report.once import Reports
from server_b.report.run_report import MODE_FOLLOW
from server_b.report.standing import has_all, held_against_states, read_standing
from server_b.segment.examiner import SegmentExaminer
from server_b.segment.look import read_record
from server_b.segment.progress import RunProgress
from server_b.serving import Faults, Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_kind import ask_kind
from shared.errors import InvalidInputError, NotFinishedError, TransientError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import DEFAULT_RETAIN_MS, SegmentVerdict

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

    def __post_init__(self) -> None:
        """Name stream and files."""
        self._stream = SignalStream(self.endpoint, self.keys.signals())
        folder, namespace = self.settings.state_directory, self.keys.namespace
        self._patient = PatientExaminer(self.endpoint, self.keys, self.settings, self.examiner, self.progress, self.log)
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
        self._was_group, self._faults, self._runs = was_group, Faults(), FollowedRuns(checkpoint)
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
            self._runs.forget_those_in_hand()

    def _turn(self) -> bool:
        """Read one entry and bring it to its end; return whether there was one."""
        self.lease.beat()
        entry = self._stream.next_entry(after=self._cursor)
        if entry is None:
            self._rewind_after_failover()  # a replica may get another stream without closing our connection
            self._look_again()
            self.lease.check_wait()
            return False
        entry_id, fields = entry
        self.lease.found_something()
        try:
            self._handle(entry_id, fields)
        except GivenBack:
            return True  # asked to stop: the cursor is still before this entry
        except TransientError as error:
            if entry_id not in self._faults:
                self.lease.made_progress()  # a reading may take longer than `--wait-s`, and so may the second one
            if self._faults.note(entry_id):
                raise error.lasting() from error
            raise
        self._cursor = entry_id
        self._faults.pop(entry_id, None)
        self.lease.made_progress()
        return True

    def _handle(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        try:
            signal = Signal.decode(fields)
        except InvalidInputError as error:
            self.log.warning("entry skipped", entry_id=entry_id, reason=str(error))
            return
        if self._is_skipped(signal):
            return
        earlier: list[Signal] = []
        if self._runs.was_reported(signal.run_id) and not self.settings.run_id:
            # its producer has written this segment again: examine the others, whose verdicts are gone, once more too
            earlier = self._stream.signals_of(signal.run_id, up_to=self._cursor)
        verdicts = self._runs.take_up(signal.run_id, cursor=self._cursor).verdicts
        for announced in (*(other for other in earlier if other.segment != signal.segment), signal):
            known = verdicts.get(announced.segment)
            if known is None or not known.settles(announced):
                verdict = self._patient.examine(announced, entry_id, known)
                verdicts |= {} if verdict is None else {announced.segment: verdict}
        if has_all(verdicts):  # even without a new verdict: a lost connection may have prevented the report
            self._report(signal.run_id, verdicts)

    def _look_again(self) -> None:
        """Report a complete run that had to wait, if its segments are there by now: a full copy empties a replica."""
        for run_id in self.reports.waiting:
            if run_id in self._runs:
                self._report(run_id, self._runs.take_up(run_id, cursor=self._cursor).verdicts)

    def _is_skipped(self, signal: Signal) -> bool:
        run_id = signal.run_id
        if self.settings.run_id:
            return run_id != self.settings.run_id
        # what was complete when we left the group was reported there
        if self._was_group and run_id not in self._runs and not self._runs.was_reported(run_id):
            found = read_standing(self.endpoint, self.keys, run_id)
            if found.is_decided and not found.waits_for:
                self._runs.note_report(run_id, found.verdicts)
        return self._runs.is_reported(signal)

    def _report(self, run_id: str, verdicts: dict[int, SegmentVerdict]) -> None:
        """Report a complete run, then move the checkpoint; with `--run` it stays, since other runs were skipped.

        Not yet if a segment is not there as its verdict says; see `Reports.must_wait`.
        """
        record = read_record(self.endpoint, self.keys, run_id)
        found = held_against_states(self.endpoint, self.keys, run_id, verdicts, record)
        if self.reports.must_wait(run_id, found):
            return
        moved = self._runs.checkpoint_without(run_id, cursor=self._cursor)
        checkpoint = None if self.settings.run_id else moved
        retain_ms = record.retain_ms if record is not None else DEFAULT_RETAIN_MS
        with self._state.noting(run_id, found.verdicts.values(), checkpoint, retain_ms=retain_ms):
            self.reports.report(run_id, found.verdicts, record, MODE_FOLLOW)
        self._runs.let_go(run_id, moved)
