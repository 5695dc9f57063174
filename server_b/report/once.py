"""Decides which complete runs are reported, each once by this process, and when `--once` has what it waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from server_b.report.results import read_result, read_run
from server_b.report.run_report import MODE_GROUP, RunReport, make_report
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotFinishedError, VerificationFailedError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.signal import Signal
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict, is_complete

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_REPORTED = 1_000


class Reports:
    """Hands reports of complete runs to whoever prints them.

    Attributes:
        final: The report that ended a `--once`, if one has.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Keyspace,
        settings: ConsumerSettings,
        *,
        progress: RunProgress,
        emit: Callable[[RunReport], None],
        log: FilteringBoundLogger,
    ) -> None:
        """Report runs of an endpoint through `emit`, below the bar of `progress`."""
        self._endpoint = endpoint
        self._keys = keys
        self._settings = settings
        self._progress = progress
        self._emit = emit
        self._log = log
        self._watched: set[str] = {settings.run_id} if settings.run_id else set()
        self._passed_over: set[str] = set()
        self._reported: dict[str, int] = {}
        self.final: RunReport | None = None

    @property
    def is_done(self) -> bool:
        """Whether `--once` has the run it waited for."""
        return self.final is not None

    def require_verified(self) -> None:
        """Check what `--once` has ended with.

        Raises:
            VerificationFailedError: A failed run.
            NotFinishedError: A superseded one, or none: a stop was requested.
        """
        report = self.final
        if report is None:
            raise NotFinishedError(where="server-b run", expected="a complete run", got="a stop request")
        where = f"run {report.run_id}"
        if report.verdict == FAILED:
            raise VerificationFailedError(where=where, expected=VERIFIED, got=f"{FAILED}: {report.reason}")
        if report.verdict != VERIFIED:
            raise NotFinishedError(where=where, expected=VERIFIED, got=f"{report.verdict} {report.reason}")

    def took_part(self, run_id: str) -> None:
        """Watch the result of a run that we were given an entry of; another consumer may complete it."""
        if self._settings.is_once and not self._settings.run_id and run_id not in self._passed_over:
            self._watched.add(run_id)

    def look_at_newest(self, newest: Signal | None, *, is_start: bool) -> None:
        """Watch the run of the newest signal too, unless it was complete when we started.

        So each of several `--once` consumers ends with the run, also one that was given no segment of it.
        """
        if newest is None or not self._settings.is_once or self._settings.run_id:
            return
        run_id = newest.run_id
        if run_id in self._watched or run_id in self._passed_over:
            return
        if is_start and is_complete(read_result(self._endpoint, self._keys, run_id)):
            self._passed_over.add(run_id)
        else:
            self._watched.add(run_id)

    def look_at_watched(self) -> None:
        """Report a watched run that is complete by now.

        Redis:
            HGETALL and HMGET for each watched run; O(segments).
        """
        for run_id in sorted(self._watched):
            if not self.is_done:
                self.report_if_complete(run_id)

    def report_if_complete(self, run_id: str) -> None:
        """Report a run, once for the same verdicts, if all its segments have theirs."""
        found = read_run(self._endpoint, self._keys, run_id)
        verdicts = found.verdicts
        # a list that was judged again, as after `dead retry`, may get another verdict under the same attempt
        known = hash(tuple((number, verdicts[number].attempt, verdicts[number].verdict) for number in sorted(verdicts)))
        if not is_complete(verdicts) or self._reported.get(run_id) == known:
            return
        self.report(run_id, verdicts, mode=MODE_GROUP, record=found.record)
        self._reported[run_id] = known  # not before: a lost connection may keep a report from being made
        if len(self._reported) > MAX_REPORTED:
            del self._reported[next(iter(self._reported))]

    def report(
        self, run_id: str, verdicts: Mapping[int, SegmentVerdict], *, mode: str, record: RunRecord | None
    ) -> None:
        """Report a complete run, if it is one that is to be reported; a superseded one is passed over by `--once`.

        Args:
            run_id: The run.
            verdicts: Of all its segments.
            mode: `group` or `follow`.
            record: The run's; None where it is not here.
        """
        report = make_report(
            self._endpoint,
            self._keys,
            run_id,
            verdicts,
            consumer=self._settings.consumer,
            mode=mode,
            record=record,
        )
        is_awaited = self._settings.is_once and self._settings.run_id in ("", run_id)
        if is_awaited and report.verdict == SUPERSEDED and not self._settings.run_id:
            is_awaited = False
        if is_awaited or not self._settings.is_once:
            self._progress.close()
            self._emit(report)
        if is_awaited:
            self.final = report
        if self._settings.is_once:
            self._watched.discard(run_id)
            self._passed_over.add(run_id)
        self._log.info(
            "run complete",
            run_id=run_id,
            verdict=report.verdict,
            reason=report.reason,
            count=report.count,
            segments=report.segments,
            digest=report.digest,
            lag_ms=report.lag_ms,
            read_s=report.read_s,
            values_per_s=report.values_per_s,
        )
