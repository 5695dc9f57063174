"""A run is reported once for the same verdicts, in the group and on a replica."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import product

import pytest
import structlog

from server_b.report.once import Reports
from server_b.report.run_report import MODE_FOLLOW, MODE_GROUP, RunReport
from server_b.segment.progress import RunProgress
from server_b.settings import ConsumerSettings
from shared.endpoint import retry as retry_module
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import TransientError
from shared.keys import Keyspace
from shared.stopping import StopRequest
from shared.verdict import FAILED, SUPERSEDED, VERIFIED, SegmentVerdict
from tests.stage.hand_over_in_process import DIGEST, NEWER, OLDER, RUN

VERDICTS = (FAILED, SUPERSEDED, VERIFIED)
PAIRS = list(product(VERDICTS, VERDICTS))
VERDICT = SegmentVerdict(
    verdict=VERIFIED, attempt=OLDER, segment=1, segments=2, count=10, digest=DIGEST, lag_ms=5, consumer="b"
)


@pytest.fixture
def reported() -> list[RunReport]:
    return []


@pytest.fixture
def retry() -> Iterator[Retry]:
    with closing(StopRequest()) as stop:
        yield Retry(60.0, stop, on_outage=lambda _error: None, refresh=lambda: None)


@pytest.fixture
def reports(endpoint: Endpoint, keys: Keyspace, reported: list[RunReport], retry: Retry) -> Iterator[Reports]:
    with closing(RunProgress()) as progress:
        settings = ConsumerSettings(consumer="b")
        yield Reports(endpoint, keys, settings, progress, reported.append, structlog.get_logger(), retry)


def _verdicts(first: str, second: str, *, attempt: str = OLDER) -> dict[int, SegmentVerdict]:
    return {
        1: replace(VERDICT, verdict=first),
        2: replace(VERDICT, segment=2, verdict=second, attempt=attempt),
    }


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_same_verdicts_are_reported_once(
    reports: Reports, reported: list[RunReport], first: str, second: str
) -> None:
    for mode in (MODE_FOLLOW, MODE_GROUP, MODE_GROUP):
        reports.report(RUN, _verdicts(first, second), None, mode)
    assert [report.mode for report in reported] == [MODE_FOLLOW]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("later", [(SUPERSEDED, SUPERSEDED), (SUPERSEDED, VERIFIED), (VERIFIED, SUPERSEDED)])
def test_a_run_is_not_reported_again_only_because_a_newer_one_replaced_it(
    reports: Reports, reported: list[RunReport], first: str, second: str, later: tuple[str, str]
) -> None:
    """Its entries may come to the group after it was followed on a replica, and by then a newer run is there."""
    reports.report(RUN, _verdicts(first, second), None, MODE_FOLLOW)
    reports.report(RUN, _verdicts(*later), None, MODE_GROUP)
    assert [report.mode for report in reported] == [MODE_FOLLOW]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_segment_that_was_written_again_is_reported_again(
    reports: Reports, reported: list[RunReport], first: str, second: str
) -> None:
    reports.report(RUN, _verdicts(first, second), None, MODE_FOLLOW)
    reports.report(RUN, _verdicts(first, second, attempt=NEWER), None, MODE_GROUP)
    assert [report.mode for report in reported] == [MODE_FOLLOW, MODE_GROUP]


def test_a_verdict_that_a_retry_changed_is_reported_again(reports: Reports, reported: list[RunReport]) -> None:
    reports.report(RUN, _verdicts(VERIFIED, FAILED), None, MODE_GROUP)
    reports.report(RUN, _verdicts(VERIFIED, VERIFIED), None, MODE_GROUP)
    assert [report.verdict for report in reported] == [FAILED, VERIFIED]


def test_more_outages_than_are_kept_are_all_told(
    reports: Reports, reported: list[RunReport], retry: Retry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_module, "MAX_OUTAGES_KEPT", 2)
    for run_id, times in ((RUN, 5), (NEWER, 3)):
        for _ in range(times):
            retry.wait_out(TransientError(where="here", expected="an answer", got="none"))
            retry.succeeded()
        reports.report(run_id, _verdicts(VERIFIED, VERIFIED), None, MODE_GROUP)
    first, second = reported
    assert (first.outages, second.outages) == (5, 3)
    assert first.outage_s + second.outage_s == pytest.approx(retry.outage_s, abs=0.002)


def test_an_outage_is_told_with_the_run_during_which_it_was(
    reports: Reports, reported: list[RunReport], retry: Retry
) -> None:
    lost = TransientError(where="here", expected="an answer", got="none")
    for _ in range(2):
        retry.wait_out(lost)
        retry.succeeded()
    retry.wait_out(lost)  # over when the report is made: that has just read the verdicts
    reports.report(RUN, _verdicts(VERIFIED, VERIFIED), None, MODE_GROUP)
    reports.report(NEWER, _verdicts(VERIFIED, VERIFIED), None, MODE_GROUP)
    first, second = reported
    assert (first.outages, second.outages, second.outage_s) == (3, 0, 0.0)
    assert first.outage_s == round(sum(outage.ended_s - outage.began_s for outage in retry.outages), 3) > 0
    assert "The server was lost 3 times, " in first.as_text(print_values=0)
    assert "lost" not in second.as_text(print_values=0)
