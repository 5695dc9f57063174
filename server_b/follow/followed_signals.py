"""Brings the signals that a follower reads to their verdicts, and runs to their reports."""

from __future__ import annotations

from dataclasses import dataclass

from server_b.follow.followed_runs import FollowedRuns
from server_b.follow.follower_state import FollowerState
from server_b.follow.patient_examiner import Announced, PatientExaminer
from server_b.follow.signal_stream import SignalStream
from server_b.report.judgement import has_all
from server_b.report.once import Reports
from server_b.report.run_report import MODE_FOLLOW
from server_b.report.standing import held_against_states, read_standing
from server_b.segment.look import read_record
from shared.endpoint.endpoint import Endpoint
from shared.keys import Keyspace
from shared.signal import Signal
from shared.verdict import DEFAULT_RETAIN_MS, SegmentVerdict


@dataclass
class FollowedSignals:
    """Handles signals in the order of the stream, but for those whose lists come late.

    Attributes:
        run_id: The run of `--run`; empty when all are followed.
        was_group: Whether this process served the group before.
    """

    endpoint: Endpoint
    keys: Keyspace
    stream: SignalStream
    state: FollowerState
    patient: PatientExaminer
    reports: Reports
    runs: FollowedRuns
    run_id: str
    was_group: bool

    def read_anew(self) -> None:
        """Start again with nothing in hand: the stream is read from its beginning."""
        self.runs.forget_those_in_hand()
        self.patient.forget_all()

    def handle(self, found: Announced, *, cursor: str) -> bool:
        """Bring a signal to its verdict, and report the run if that completes it; return whether its list came.

        The cursor is the id of the last entry that was read and handled.
        """
        signal = found.signal
        if self._is_skipped(signal):
            self.patient.forget(signal)
            return True
        earlier: list[Signal] = []
        if self.runs.was_reported(signal.run_id) and not self.run_id:
            # its producer has written this segment again: examine the others, whose verdicts are gone, once more too
            earlier = self.stream.signals_of(signal.run_id, up_to=cursor)
        verdicts = self.runs.take_up(signal.run_id, cursor=found.before).verdicts
        has_come = True
        for announced in (*(other for other in earlier if other.segment != signal.segment), signal):
            known = verdicts.get(announced.segment)
            if known is not None and known.settles(announced):
                self.patient.forget(announced)
                continue
            outcome = self.patient.examine(found._replace(signal=announced), known)
            has_come &= outcome.has_come
            verdicts |= {announced.segment: outcome.verdict} if outcome.verdict is not None else {}
        if has_all(verdicts):  # even without a new verdict: a lost connection may have prevented the report
            self._report(signal.run_id, verdicts, cursor)
        return has_come

    def look_again(self, *, cursor: str) -> None:
        """Report a complete run that had to wait, if its segments are there by now: a full copy empties a replica."""
        for run_id in self.reports.waiting:
            if run_id in self.runs:
                self._report(run_id, self.runs.take_up(run_id, cursor=cursor).verdicts, cursor)

    def _is_skipped(self, signal: Signal) -> bool:
        run_id = signal.run_id
        if self.run_id:
            return run_id != self.run_id
        # what was complete when we left the group was reported there
        if self.was_group and run_id not in self.runs and not self.runs.was_reported(run_id):
            found = read_standing(self.endpoint, self.keys, run_id)
            if found.is_decided and not found.waits_for:
                self.runs.note_report(run_id, found.verdicts)
        return run_id not in self.runs and self.runs.is_reported(signal)  # one in hand again needs all its signals

    def _report(self, run_id: str, verdicts: dict[int, SegmentVerdict], cursor: str) -> None:
        """Report a complete run, then move the checkpoint; with `--run` it stays, since other runs were skipped.

        Not yet if a segment is not there as its verdict says; see `Reports.must_wait`.
        """
        record = read_record(self.endpoint, self.keys, run_id)
        found = held_against_states(self.endpoint, self.keys, run_id, verdicts, record)
        if self.reports.must_wait(run_id, found):
            return
        moved = self.runs.checkpoint_without(run_id, cursor=self.patient.checkpoint_before(cursor))
        checkpoint = None if self.run_id else moved
        retain_ms = record.retain_ms if record is not None else DEFAULT_RETAIN_MS
        with self.state.noting(run_id, found.verdicts.values(), checkpoint, retain_ms=retain_ms):
            self.reports.report(run_id, found.verdicts, record, MODE_FOLLOW)
        self.runs.let_go(run_id, moved)
