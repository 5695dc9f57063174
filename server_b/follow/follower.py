"""The follower's story: on a read-only replica, read signals with XREAD and keep a checkpoint in a file.

There is no group on a replica, hence nobody to share segments with and nowhere to record a verdict: they are kept in
memory until the run is complete, printed, and only then does the checkpoint move. A kill costs a second reading. It
costs a second report only between the printing and one rename: the next checkpoint is on the disk before the printing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from server_b.follow.checkpoint import START, CheckpointFile
from server_b.follow.followed_runs import FollowedRun, FollowedRuns
from server_b.follow.signal_stream import SignalStream, order_of
from server_b.lease import GivenBack, Lease, WaitedTooLong
from server_b.report.once import Reports
from server_b.report.results import read_result
from server_b.report.run_report import MODE_FOLLOW
from server_b.segment.examiner import NEVER_ARRIVED, SegmentExaminer, StillMissingError
from server_b.segment.look import SegmentLook
from server_b.segment.progress import RunProgress
from server_b.segment.run_records import read_record
from server_b.serving import Serving
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.server_kind import ask_kind
from shared.endpoint.together import Together
from shared.errors import InvalidInputError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import SegmentVerdict, is_complete

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_FAULTS = 100
MAX_FAULTS_S = 60.0


class Follower:
    """Reads the stream entry by entry until it is stopped or, with `--once`, a run is complete."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        settings: ConsumerSettings,
        *,
        serving: Serving,
        lease: Lease,
        retry: Retry,
        reports: Reports,
        examiner: SegmentExaminer,
        progress: RunProgress,
        log: FilteringBoundLogger,
        was_group: bool = False,
    ) -> None:
        """Use the story's actors.

        Args:
            endpoint: A replica.
            keys: The namespace.
            settings: What to do.
            serving: Says when it is over.
            lease: Its heartbeat and its wait.
            retry: Hears of each successful reply.
            reports: Gets complete runs.
            examiner: Reads and verifies segments.
            progress: Counts the values read.
            log: For events.
            was_group: Whether it served a group here until the primary became a replica; what was complete then was
                reported then.
        """
        self._endpoint = endpoint
        self._keys = keys
        self._was_group = was_group
        self._stream = SignalStream(endpoint, keys.signals())
        self._settings = settings
        self._serving = serving
        self._lease = lease
        self._retry = retry
        self._reports = reports
        self._examiner = examiner
        self._progress = progress
        self._log = log
        self._file = CheckpointFile(settings.state_directory, endpoint=endpoint.name, namespace=keys.namespace)
        self._file.remove_leftovers()
        checkpoint = self._file.read()
        self._cursor = START if settings.run_id else checkpoint.after
        self._runs = FollowedRuns(checkpoint)
        self._faults = 0
        self._faulty_since = 0.0

    def run(self) -> None:
        """Follow until `reports` has its run, the lease says to stop, or the wait is over.

        One that had served a group before also ends when the endpoint is a primary again.

        Raises:
            InvalidInputError: The checkpoint's file can't be read or written.
            NotFinishedError: Nothing came in time, or the endpoint answered but was not ready for too long.
            EndpointUnreachableError: It stayed away for as long as is retried, or cut every reading of an entry.
            HandoverError: It refuses a command.
        """
        self._log.info(
            "following a replica", stream=self._stream.key, after=self._cursor, checkpoint=str(self._file.path)
        )
        while not self._serving.is_over:
            try:
                self._rewind_after_failover()
                while not self._serving.is_over:
                    has_read = self._turn()
                    self._retry.succeeded()
                    if not has_read and self._is_primary_again():
                        return
            except TransientError as error:
                self._serving.wait_out(error)
                if not self._serving.is_over:
                    self._lease.check_wait()

    def _rewind_after_failover(self) -> None:
        """Read a stream anew whose last id lies before our cursor: it is another one, or has lost entries."""
        last = self._stream.newest_id()
        if order_of(last) < order_of(self._cursor):
            self._log.warning("stream is older than the checkpoint, reading it anew", last_id=last)
            self._cursor = START
            self._runs.forget_those_in_hand()

    def _is_primary_again(self) -> bool:
        """Tell whether a group that was left because of a failover can be served again."""
        if not self._was_group:
            return False
        kind, _ = ask_kind(self._endpoint.at(self._stream.key))
        return not kind.is_replica

    def _turn(self) -> bool:
        """Read one entry and bring it to its end; return whether there was one."""
        self._lease.beat()
        entry = self._stream.next_entry(after=self._cursor)
        if entry is None:
            self._rewind_after_failover()  # a replica may have been given another stream without cutting us off
            self._lease.check_wait()
            return False
        self._lease.found_something()
        try:
            self._handle(*entry)
        except GivenBack:
            return True  # asked to stop: the checkpoint still lies before this entry
        except WaitedTooLong:
            self._lease.check_wait()
            return True
        except TransientError as error:
            if self._has_failed_for_long():
                raise error.lasting() from error
            raise
        self._cursor = entry[0]
        self._faults = 0
        self._lease.made_progress()
        return True

    def _has_failed_for_long(self) -> bool:
        """Count a fault of the entry in hand, whose chunks count as successes; the first begins the wait anew."""
        if not self._faults:
            self._faulty_since = time.monotonic()
            self._lease.made_progress()  # a reading may take longer than the wait, and a second try too
        self._faults += 1
        return self._faults >= MAX_FAULTS and time.monotonic() - self._faulty_since >= MAX_FAULTS_S

    def _handle(self, entry_id: str, fields: dict[bytes, bytes]) -> None:
        try:
            signal = Signal.decode(fields)
        except InvalidInputError as error:
            self._log.warning("entry skipped", entry_id=entry_id, reason=str(error))
            return
        if self._is_skipped(signal):
            return
        run = self._take_up(signal)
        for announced in (*run.earlier, signal):
            known = run.verdicts.get(announced.segment)
            if known is None or known.attempt < announced.attempt:
                verdict = self._examine(announced, entry_id)
                if verdict is not None:
                    run.verdicts[announced.segment] = verdict
        run.earlier.clear()
        self._end_run_if_complete(signal.run_id, run)  # a lost connection may have kept its report from being made

    def _is_skipped(self, signal: Signal) -> bool:
        run_id = signal.run_id
        if self._settings.run_id:
            return run_id != self._settings.run_id
        if self._was_group and run_id not in self._runs and not self._runs.was_reported(run_id):
            verdicts = read_result(self._endpoint, self._keys, run_id)
            if is_complete(verdicts):
                self._runs.note_report(run_id, verdicts)
        return self._runs.is_reported(signal)

    def _take_up(self, signal: Signal) -> FollowedRun:
        """Return what is in hand of a signal's run.

        Of a run that was reported nothing is: its producer has written a segment again, and the others, whose signals
        lie behind us, are examined once more. Keeping their verdicts was rejected: a restart would still need this.
        """
        run_id = signal.run_id
        is_reported = run_id not in self._runs and self._runs.was_reported(run_id) and not self._settings.run_id
        earlier = self._stream.signals_of(run_id, up_to=self._cursor) if is_reported else []
        run = self._runs.take_up(run_id, cursor=self._cursor)
        run.earlier += [announced for announced in earlier if announced.segment != signal.segment]
        return run

    def _examine(self, signal: Signal, entry_id: str) -> SegmentVerdict | None:
        """Examine a segment, waiting for a replica that is behind as often as a group would deliver the entry."""
        settings = self._settings
        asked = Together(self._endpoint)
        SegmentLook.ask(asked, self._keys, signal)
        replies = asked.send(raise_on_error=False)
        try:
            look = SegmentLook.decode(self._keys, signal, replies)
        except WrongKeyError as error:
            blind = SegmentLook.blind(self._endpoint, self._keys)
            return self._examiner.given_up(signal, blind, str(error), lag_ms=_lag_ms(entry_id, blind))
        lag_ms = _lag_ms(entry_id, look)
        self._progress.begin(signal)
        for _ in range(settings.max_deliveries):
            try:
                return self._examiner.examine(signal, look, lag_ms=lag_ms, settle_s=settings.settle_s)
            except StillMissingError:
                self._log.warning("list not there yet, waiting", run_id=signal.run_id, segment=signal.segment)
                look = replace(look, state=None)
            except WrongKeyError as error:
                return self._examiner.given_up(signal, look, str(error), lag_ms=lag_ms)
        return self._examiner.given_up(signal, look, NEVER_ARRIVED, lag_ms=lag_ms)

    def _end_run_if_complete(self, run_id: str, run: FollowedRun) -> None:
        """Report a run that is complete, then move the checkpoint."""
        if not is_complete(run.verdicts):
            return
        moved = self._runs.checkpoint_without(run_id, cursor=self._cursor)
        prepared = None if self._settings.run_id else self._file.prepare(moved)
        try:
            record = read_record(self._endpoint, self._keys, run_id)
            self._reports.report(run_id, run.verdicts, mode=MODE_FOLLOW, record=record)
            if prepared is not None:
                self._file.replace(prepared)
        finally:
            if prepared is not None:
                prepared.unlink(missing_ok=True)  # there only if the report could not be made
        self._runs.let_go(run_id, moved)


def _lag_ms(entry_id: str, look: SegmentLook) -> int:
    return max(0, look.taken_ms - int(entry_id.partition("-")[0]))
