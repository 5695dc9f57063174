"""`server-a run --every`: hands over again and again, and counts how that went.

A run that failed, was superseded or met no server is one of many here: the next one follows. What nobody can mend by
waiting, a wrong option, a missing permission, a server of another kind, ends it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server_a.run.kept_runs import KeptRuns
from server_a.run.opening import open_story
from server_a.run.outcome import RunSummary, await_verdicts
from server_a.run.settings import RunSettings
from server_a.run.story import Story
from shared.endpoint.reply_times import ReplyTimes
from shared.endpoint.retry import Retry
from shared.errors import (
    EndpointUnreachableError,
    HandoverError,
    NotFinishedError,
    SupersededError,
    TransientError,
    VerificationFailedError,
)
from shared.program.options import CommonSettings
from shared.program.telemetry.telling import ProducerTelemetry
from shared.stopping import StopRequest
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, run_reason, run_verdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

NONE = "none"
LEAST_PAUSE_S = 1.0  # after a run that was not written: a server that is away is not asked without a pause
_PASSING = (VerificationFailedError, EndpointUnreachableError, NotFinishedError)
VERDICTS = (VERIFIED, FAILED, SUPERSEDED, NONE)


@dataclass
class HandOvers:
    """Hands over until stopped; each run is counted by its verdict, `none` where none came."""

    common: CommonSettings
    settings: RunSettings
    stop: StopRequest
    log: FilteringBoundLogger
    telemetry: ProducerTelemetry = field(default_factory=ProducerTelemetry)
    counts: dict[str, int] = field(init=False, default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    outages: int = field(init=False, default=0)
    outage_s: float = field(init=False, default=0.0)
    lags: ReplyTimes = field(init=False, default_factory=ReplyTimes)  # of every segment that was read
    times: ReplyTimes = field(init=False, default_factory=ReplyTimes)  # from a run's beginning to its verdict
    lost_at_s: float | None = field(init=False, default=None)  # when an outage began that no run has seen the end of

    _retry: Retry | None = field(init=False, default=None)  # of the run that goes on

    def __post_init__(self) -> None:
        self.kept = KeptRuns(self.common.keys)
        self.telemetry.outages_from(self._outages_so_far)

    def run(self) -> Iterator[tuple[Story, RunSummary, str]]:
        """Yield each run that was written whole, with its verdict; end when a stop is requested.

        After one that was not, the next begins a second later at the earliest.

        Raises:
            HandoverError: One whose exit code is neither 65, 69 nor 75.
        """
        while not self.stop.is_requested:
            done = self._hand_over()
            if done is not None:
                yield done
            every_s = self.settings.every or 0.0
            self.stop.wait(every_s if done is not None else max(every_s, LEAST_PAUSE_S))

    def as_json(self) -> dict[str, Any]:
        """Return the counts as the last line shows them; percentiles are null where nothing was measured."""
        times = self.times.as_json()
        return {
            "runs": sum(self.counts.values()),
            **self.counts,
            "outages": self.outages,
            "outage_s": round(self.outage_s, 3),
            "lag_ms": self.lags.as_json(),
            "hand_over_s": times and {name: round(value / 1_000, 3) for name, value in times.items()},
        }

    def _hand_over(self) -> tuple[Story, RunSummary, str] | None:
        began, verdict = time.monotonic(), NONE
        story: Story | None = None
        summary: RunSummary | None = None
        try:
            telemetry = self.telemetry
            with open_story(self.common, self.settings, stop=self.stop, log=self.log, telemetry=telemetry) as story:
                self._retry = story.retry
                self._note_end_of_outage()
                story.retry.keep_trying(self.kept.look, story.endpoint)
                story.announcer.oldest_ms = self.kept.oldest_ms
                summary = story.run()
                story.retry.keep_trying(self.kept.add, story.endpoint, summary.run_id)
                verdict = self._verdict(story, began)
        except HandoverError as error:
            verdict = SUPERSEDED if isinstance(error, SupersededError) else NONE
            self._go_on_after(error, story, began)
        finally:
            self._retry = None
            if story is not None:
                self.outages += story.retry.outage_count
                self.outage_s += story.retry.outage_s
        self.counts[verdict] += 1
        return (story, summary, verdict) if story is not None and summary is not None else None

    def _outages_so_far(self) -> tuple[int, float]:
        retry = self._retry
        under_way = (0, 0.0) if retry is None else (retry.outage_count, retry.outage_s)
        return self.outages + under_way[0], self.outage_s + under_way[1]

    def _verdict(self, story: Story, began: float) -> str:
        """Return the verdict on a run, `none` where nobody is to be waited for."""
        if not self.settings.await_verdict_s:
            return NONE
        limit_s, keys = self.settings.await_verdict_s, self.common.keys
        published = story.published
        with self.telemetry.stage("await verdict"):
            verdicts = await_verdicts(story.endpoint, keys, story.record, published, limit_s=limit_s, stop=self.stop)
        self.times.add(time.monotonic() - began)
        for found in verdicts.values():
            self.lags.add(found.lag_ms / 1_000)
        verdict = run_verdict(verdicts)
        if verdict != VERIFIED:
            self.log.warning("run not verified", run_id=story.record.run_id, reason=run_reason(verdicts))
        return verdict

    def _go_on_after(self, error: HandoverError, story: Story | None, began: float) -> None:
        """Log an error after which the next run may go well; raise any other."""
        final = error.lasting() if isinstance(error, TransientError) else error
        if not isinstance(final, _PASSING):
            raise final from error
        self.log.warning("run not finished", reason=str(final))
        if isinstance(final, EndpointUnreachableError) and self.lost_at_s is None:
            self.lost_at_s = began if story is None else time.monotonic()
            self.outages += story is None  # else the run has counted it

    def _note_end_of_outage(self) -> None:
        if self.lost_at_s is not None:
            self.outage_s += time.monotonic() - self.lost_at_s
            self.lost_at_s = None
