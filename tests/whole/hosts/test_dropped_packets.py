"""Packets that vanish in one direction: no connection breaks, answers don't come, and what was done is unknown."""

from __future__ import annotations

import pytest

from tests.stage.four_hosts import PORT, Stage, require_exact, require_missed
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

COUNT = 1_000_000
OPTIONS = ("--count", str(COUNT), "--segment-values", "50000")


def test_requests_of_a(stage: Stage) -> None:
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.signals() >= 5, description="5 segments were signalled")
    stage.a.drop_requests(PORT)
    require_missed(a)
    stage.a.speed_up()
    stage.a.drop_nothing()
    written, _ = require_exact(a, b, stage.primary, count=COUNT)
    assert written["outage_s"] > 0


def test_replies_to_a(stage: Stage) -> None:
    """The server carries out what A has sent, and A can't know it: it looks before it publishes or signals again."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.signals() >= 5, description="5 segments were signalled")
    stage.a.drop_replies(PORT)
    require_missed(a)
    stage.a.speed_up()
    stage.a.drop_nothing()
    require_exact(a, b, stage.primary, count=COUNT)


def test_replies_to_b(stage: Stage) -> None:
    """Entries are delivered to B and never reach it; they are pending with it, and it reads those first."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.verdicts() >= 5, description="5 segments were verified")
    stage.b.drop_replies(PORT)
    require_missed(b)
    stage.a.speed_up()
    stage.b.drop_nothing()
    require_exact(a, b, stage.primary, count=COUNT)
    assert stage.primary.pending() == 0
