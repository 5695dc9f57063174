"""A cable is pulled in the middle of a hand-over and put back within patience: all of it arrives all the same."""

from __future__ import annotations

import pytest

from tests.stage.four_hosts import Stage, require_exact, require_missed
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

COUNT = 1_000_000
OPTIONS = ("--count", str(COUNT), "--segment-values", "50000")
ONE_SEGMENT = ("--count", str(COUNT))


@pytest.mark.parametrize("signals", [1, 10])
def test_cable_of_a_between_two_segments(stage: Stage, signals: int) -> None:
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.signals() >= signals, description=f"{signals} segments were signalled")
    stage.a.pull_cable()
    require_missed(a)
    stage.a.speed_up()
    stage.a.plug_in()
    written, _ = require_exact(a, b, stage.primary, count=COUNT)
    assert written["outage_s"] > 0
    assert written["lost_acknowledged"] == 0


def test_cable_of_a_in_the_middle_of_a_segment(stage: Stage) -> None:
    """What A's host had still to send arrives when the cable is back, late, and must not count."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *ONE_SEGMENT)
    wait_until(lambda: stage.primary.staged() > COUNT // 10, description="a tenth is written")
    stage.primary.server.pause()
    stage.a.pull_cable()
    stage.primary.server.resume()
    wait_until(lambda: "attempt lost" in a.errors(), description="server-a gives its attempt up")
    stage.a.speed_up()
    stage.a.plug_in()
    written, _ = require_exact(a, b, stage.primary, count=COUNT)
    assert written["attempts"] > 1


def test_cable_of_b(stage: Stage) -> None:
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.verdicts() >= 5, description="5 segments were verified")
    stage.b.pull_cable()
    require_missed(b)
    stage.a.speed_up()
    stage.b.plug_in()
    require_exact(a, b, stage.primary, count=COUNT)


def test_cable_of_the_primary(stage: Stage) -> None:
    """Both programs lose it at once."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.verdicts() >= 5, description="5 segments were verified")
    stage.primary.host.pull_cable()
    require_missed(a)
    require_missed(b)
    stage.a.speed_up()
    stage.primary.host.plug_in()
    require_exact(a, b, stage.primary, count=COUNT)


def test_cable_of_the_replica_that_b_follows(stage: Stage) -> None:
    """A doesn't notice; B does, and goes on where the replica goes on."""
    b = stage.start_b(stage.add_replica().url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.replica.signals() >= 5, description="5 signals came to the replica")
    stage.replica.host.pull_cable()
    require_missed(b)
    stage.a.speed_up()
    stage.replica.host.plug_in()
    written, read = require_exact(a, b, stage.replica, count=COUNT)
    assert read["mode"] == "follow"
    assert written["outage_s"] == 0


def test_loose_plug(stage: Stage) -> None:
    """A cable that comes and goes: TCP sends again what was lost, and nobody has to notice."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    for host in (stage.a, stage.b, stage.primary.host):
        signals = stage.primary.signals()
        wait_until(lambda: stage.primary.signals() > signals, description="A gets on")  # noqa: B023 - asked at once
        host.pull_cable()
        host.plug_in()
    stage.a.speed_up()
    require_exact(a, b, stage.primary, count=COUNT)
