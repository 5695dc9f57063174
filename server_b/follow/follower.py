"""Following a read-only replica: read signals with XREAD and keep a checkpoint in a local file.

A replica has no group to share segments in and takes no verdicts. They are kept in memory until the run is complete and
reported, and only then the checkpoint moves. A kill costs a second reading. It costs a second report only if it comes
between the report and one rename: the next checkpoint is on the disk before the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from server_b.follow.checkpoint import START, CheckpointFile
from server_b.follow.followed_runs import FollowedRuns
from server_b.follow.signal_stream import SignalStream, order_of
from server_b.lease import GivenBack, Lease
from server_b.report.once import Reports
from server_b.report.run_report import MODE_FOLLOW
from server_b.report.standing import has_all, held_against_states, read_standing
from server_b.segment.examiner import NEVER_ARRIVED, SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook, read_record
from server_b.segment.progress import RunProgress
from server_b.serving import Faults, Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_kind import ask_kind
from shared.errors import InvalidInputError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict

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
        """Name stream and checkpoint file."""
        self._stream = SignalStream(self.endpoint, self.keys.signals())
        folder, namespace = self.settings.state_directory, self.keys.namespace
        self._file = CheckpointFile(folder, endpoint=self.endpoint.name, namespace=namespace)

    def run(self, *, was_group: bool) -> None:
        """Follow until serving is over or, if we served a group here before, the endpoint is a primary again.

        Raises:
            InvalidInputError: The checkpoint's file can't be read or written.
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: It did not answer for as long as is retried, or cut every reading of an entry.
        """
        self._file.remove_leftovers()
        checkpoint = self._file.read()
        self._was_group, self._faults, self._runs = was_group, Faults(), FollowedRuns(checkpoint)
        self._cursor = START if self.settings.run_id else checkpoint.after
        path = str(self._file.path)
        self.log.info("following a replica", stream=self._stream.key, after=self._cursor, checkpoint=path)
        while not self.serving.is_over:
            try:
                self._rewind_after_failover()
                while not self.serving.is_over:
                    has_read = self._turn()
                    self.retry.succeeded()
                    if was_group and not has_read and not ask_kind(self.endpoint.at(self._stream.key))[0].is_replica:
                        return
            except TransientError as error:
                self.serving.wait_out(error)
                if not self.serving.is_over:
                    self.lease.check_wait()

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
            if known is None or known.attempt < announced.attempt:
                verdict = self._examine(announced, entry_id)
                if verdict is not None:
                    verdicts[announced.segment] = verdict
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

    def _examine(self, signal: Signal, entry_id: str) -> SegmentVerdict | None:
        """Examine a segment, waiting for a replica that lags as often as a group would deliver the entry."""
        look = SegmentLook.read(self.endpoint, self.keys, signal, entry_id)
        if look.contradiction:
            self.log.warning("entry skipped", entry_id=entry_id, reason=look.contradiction)
            return None
        if look.obstacle:
            return self.examiner.given_up(signal, look, look.obstacle)
        self.progress.begin(signal)
        for _ in range(self.settings.max_deliveries):
            try:
                return self.examiner.examine(signal, look)
            except StillMissingError:
                self.log.warning("list not there yet, waiting", run_id=signal.run_id, segment=signal.segment)
                look = replace(look, state=None)
            except WrongKeyError as error:
                return self.examiner.given_up(signal, look, str(error))
        return self.examiner.given_up(signal, look, NEVER_ARRIVED)

    def _report(self, run_id: str, verdicts: dict[int, SegmentVerdict]) -> None:
        """Report a complete run, then move the checkpoint; with `--run` it stays, since other runs were skipped.

        Not yet if a segment is not there as its verdict says; see `Reports.must_wait`.
        """
        record = read_record(self.endpoint, self.keys, run_id)
        found = held_against_states(self.endpoint, self.keys, run_id, verdicts, record)
        if self.reports.must_wait(run_id, found):
            return
        moved = self._runs.checkpoint_without(run_id, cursor=self._cursor)
        prepared = None if self.settings.run_id else self._file.prepare(moved)
        try:
            self.reports.report(run_id, found.verdicts, record, MODE_FOLLOW)
            if prepared is not None:
                self._file.replace(prepared)
        finally:
            if prepared is not None:
                prepared.unlink(missing_ok=True)  # it is still there if the report failed
        self._runs.let_go(run_id, moved)
