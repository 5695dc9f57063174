"""How long a run goes on to write again what the server loses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from server_a.run import loss_limit
from server_a.run.audit import AuditFindings
from server_a.run.loss_limit import MAX_AUDITS, MIN_MENDED, LossLimit
from shared.errors import NotFinishedError


class Clock:
    """A clock that the test sets."""

    now_s = 1_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The module's clock."""
    clock = Clock()
    monkeypatch.setattr(loss_limit, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def _missing(signals: int, segments: int = 0) -> AuditFindings:
    return AuditFindings(segments=list(range(segments)), signals=list(range(signals)))


def _repairs(limit: LossLimit, clock: Clock, missing: list[int], *, outages: list[int], each_s: float) -> int:
    """Return how many repairs are made before the limit raises; all where it does not."""
    for done, (signals, seen) in enumerate(zip(missing, outages, strict=True)):
        try:
            limit.note(_missing(signals), outages=seen)
        except NotFinishedError:
            return done
        clock.now_s += each_s
    return len(missing)


@pytest.mark.parametrize("limit_s", [0, 1, 10, 60, 300])
def test_the_same_losses_end_it_when_patience_does(clock: Clock, limit_s: float) -> None:
    done = _repairs(LossLimit("here", limit_s), clock, [3] * 1_000, outages=[0] * 1_000, each_s=1.0)
    assert done == min(max(MIN_MENDED, limit_s), MAX_AUDITS)


def test_losses_that_become_fewer_are_mended_on(clock: Clock) -> None:
    missing = list(range(90, 0, -1))
    assert _repairs(LossLimit("here", 5.0), clock, missing, outages=[0] * 90, each_s=4.0) == 90


def test_each_outage_counts_anew(clock: Clock) -> None:
    outages = [number // 3 for number in range(90)]
    assert _repairs(LossLimit("here", 5.0), clock, [7] * 90, outages=outages, each_s=1.5) == 90


def test_losses_that_come_and_go_end_it(clock: Clock) -> None:
    done = _repairs(LossLimit("here", 20.0), clock, [2, 1] * 50, outages=[0] * 100, each_s=1.0)
    assert done == 21


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        (_missing(1), "1 signal missing after 2 repairs in 0 s"),
        (_missing(1_000, 2), "2 segments and 1,000 signals missing"),
        (AuditFindings(is_record_lost=True), "the record missing"),
    ],
)
def test_what_is_missing_is_said(clock: Clock, findings: AuditFindings, text: str) -> None:
    limit = LossLimit("here", 0.0)
    for _ in range(MIN_MENDED):
        limit.note(findings, outages=0)
    with pytest.raises(NotFinishedError) as caught:
        limit.note(findings, outages=0)
    assert caught.value.exit_code == 75
    assert text in caught.value.got
    assert clock.now_s == 1_000.0
