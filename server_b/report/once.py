"""Which complete runs this process reports, each once, and when `--once` has the run it waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_b.report.judgement import StandingRun
from server_b.report.run_report import MODE_GROUP, RunReport, make_report
from server_b.report.standing import Passing, nothing, read_standing
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import NotFinishedError, VerificationFailedError, WrongKeyError
from shared.keys import Keyspace
from shared.program.screen import screen
from shared.record import RunRecord
from shared.signal import Signal
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict, run_verdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_REPORTED = 1_000


@dataclass
class Reports:
    """Passes the reports of complete runs to `emit`, which prints them; `final` is the one that ended `--once`."""

    endpoint: Endpoint
    keys: Keyspace
    settings: ConsumerSettings
    progress: RunProgress
    emit: Callable[[RunReport], None]
    log: FilteringBoundLogger
    retry: Retry  # knows the outages
    passing: Passing = nothing  # called between the portions of a look that is made again and again
    final: RunReport | None = field(init=False, default=None)
    complete_before: str = field(init=False, default="")  # the newest run, if it was complete when we started

    def __post_init__(self) -> None:
        """Watch the run of `--run`, if there is one."""
        self._watched = {self.settings.run_id} - {""}
        self._passed_over: set[str] = set()
        self._reported: dict[str, tuple[int, int]] = {}
        self._waiting: dict[str, tuple[int, ...]] = {}  # complete runs, with the segments that aren't there as verified
        self._newest = ""
        self._outages_told = (0, 0.0)  # how many, and their seconds

    def require_verified(self) -> None:
        """Raise unless `--once` ended with a verified run."""
        report = self.final
        if report is None:
            raise NotFinishedError(where="server-b run", expected="a complete run", got="a stop request")
        where = f"run {report.run_id}"
        if report.verdict == FAILED:
            raise VerificationFailedError(where=where, expected=VERIFIED, got=f"{FAILED}: {report.reason}")
        if report.verdict != VERIFIED:
            raise NotFinishedError(where=where, expected=VERIFIED, got=f"{report.verdict} {report.reason}")

    def took_part(self, run_id: str) -> None:
        """Watch the result of a run that we received an entry of; another consumer may complete it."""
        if self.settings.is_once and not self.settings.run_id and run_id not in self._passed_over:
            self._watched.add(run_id)

    def look_at_newest(self, newest: Signal | None, *, is_start: bool) -> None:
        """Watch the run of the newest signal too, unless it was complete when we started.

        With several consumers each `--once` thus ends with the run, even if it received no segment of it.
        """
        self._newest = max(self._newest, newest.run_id if newest is not None else "")
        if newest is None or not self.settings.is_once or self.settings.run_id:
            return
        run_id = newest.run_id
        if run_id not in self._watched | self._passed_over:
            found = read_standing(self.endpoint, self.keys, run_id) if is_start else StandingRun({})
            is_old = found.is_decided and not found.waits_for
            (self._passed_over if is_old else self._watched).add(run_id)
            if is_old:
                self.complete_before = run_id
                self.log.info("run was complete before we started", run_id=run_id, cure=f"--run {run_id} ends at it")

    def look_at_named(self) -> None:
        """Report the run of `--run` if it is complete already, however many entries of others wait before its own.

        Not where it is superseded: its own signal may wait among them, sent again because that verdict doesn't count.
        """
        if run_id := self.settings.run_id:
            self.report_if_complete(run_id, even_superseded=False)

    @property
    def waiting(self) -> list[str]:
        """The complete runs that wait for another signal."""
        return list(self._waiting)

    def look_at_watched(self) -> None:
        """Report the runs that are watched or waited for and complete by now, until `--once` has its run.

        Where somebody sees how far a run is, also ask how far the others are. Redis: HLEN once a second then.
        """
        self.progress.rest()
        if run_id := self.progress.run_to_look_at():
            key = self.keys.result(run_id)
            with suppress(WrongKeyError):  # no result of ours: it has no place on the screen
                self.progress.examined_by_all(run_id, int(self.endpoint.at(key).hlen(key)))
        for run_id in sorted(self._watched | self._waiting.keys()):
            if self.final is None:
                self.report_if_complete(run_id, passing=self.passing)

    def report_if_complete(
        self, run_id: str, *, segments: int = 0, even_superseded: bool = True, passing: Passing = nothing
    ) -> None:
        """Report a run, once for the same verdicts, if all its segments have theirs and are there as these say.

        With `segments`, how many its signals say, that takes one round trip.
        """
        found = read_standing(self.endpoint, self.keys, run_id, segments=segments, passing=passing)
        self.progress.examined_by_all(run_id, max(found.recorded, len(found.verdicts)))
        if not found.is_decided or self._is_reported(run_id, found.verdicts):
            self._waiting.pop(run_id, None)
        elif (even_superseded or run_verdict(found.verdicts) != SUPERSEDED) and not self.must_wait(run_id, found):
            self.report(run_id, found.verdicts, found.record, MODE_GROUP)

    def must_wait(self, run_id: str, found: StandingRun) -> bool:
        """Return whether a complete run is not to be reported yet, since a segment is not there as its verdict says."""
        if found.waits_for and self._waiting.get(run_id) != found.waits_for:
            first, others = found.waits_for[0], len(found.waits_for) - 1
            self.log.warning(
                "run complete, but a segment is not there as its verdict says, waiting for its next signal",
                run_id=run_id, segment=first, others=others, verdict=found.verdicts[first].verdict,
                cure=f"if none comes: server-a run --resume {run_id}",
            )  # fmt: skip
        self._waiting.pop(run_id, None)
        if found.waits_for:
            self._waiting[run_id] = found.waits_for
            if len(self._waiting) > MAX_REPORTED:
                del self._waiting[next(iter(self._waiting))]
        return bool(found.waits_for)

    def report(self, run_id: str, verdicts: Mapping[int, SegmentVerdict], record: RunRecord | None, mode: str) -> None:
        """Print the report of a complete run, unless `--once` waits for another one; see `make_report`.

        Nothing is printed twice: a run that was followed may get its verdicts again, in the group.
        """
        if self._is_reported(run_id, verdicts):
            return
        consumer, is_once, awaited = self.settings.consumer, self.settings.is_once, self.settings.run_id
        times, over = self.progress.times_of(run_id), self._outages_over()
        report = make_report(
            self.endpoint, self.keys, run_id, verdicts, consumer=consumer, mode=mode, record=record, times=times,
            outages=(over[0] - self._outages_told[0], over[1] - self._outages_told[1]),
        )  # fmt: skip
        # without a name `--once` passes over superseded runs
        is_awaited = is_once and (run_id == awaited if awaited else report.verdict != SUPERSEDED)
        if is_awaited or not is_once:
            self.progress.close()
            self.emit(report)
            self._outages_told = over
        self._reported[run_id] = _known(verdicts)  # not before: a lost connection may keep a report from being made
        if len(self._reported) > MAX_REPORTED:
            del self._reported[next(iter(self._reported))]
        if is_awaited:
            self.final = report
            if self._newest > run_id:
                event = "ended at an older run that was not read yet"
                self.log.info(event, run_id=run_id, newer_run_id=self._newest, cure=f"--run {self._newest} ends at it")
        if is_once:
            self._watched.discard(run_id)
            self._passed_over.add(run_id)
        told = ("run_id", "verdict", "reason", "count", "segments", "digest", "lag_ms", "read_s", "values_per_s")
        is_told = screen.is_all and (is_awaited or not is_once)  # beside the report, which says the same
        (self.log.debug if is_told else self.log.info)("run complete", **{name: getattr(report, name) for name in told})

    def _outages_over(self) -> tuple[int, float]:
        """Return how many outages there were, and their seconds; the server has just answered, so all are over."""
        self.retry.succeeded()
        return self.retry.over_count, self.retry.outage_s

    def _is_reported(self, run_id: str, verdicts: Mapping[int, SegmentVerdict]) -> bool:
        """Tell whether these verdicts were reported, or others on the same lists before a newer run replaced them."""
        attempts, reported = self._reported.get(run_id, (0, 0))
        found_attempts, found = _known(verdicts)
        return attempts == found_attempts and (reported == found or run_verdict(verdicts) == SUPERSEDED)


def _known(verdicts: Mapping[int, SegmentVerdict]) -> tuple[int, int]:
    """Return what tells attempts from others, and what tells verdicts: `dead retry` may give a list another one."""
    attempts = tuple((number, verdict.attempt) for number, verdict in sorted(verdicts.items()))
    return hash(attempts), hash(tuple(verdict.verdict for _, verdict in sorted(verdicts.items())))
