"""A primary is cut from its replica, and the replica is promoted behind A's back: acknowledged values are lost."""

from __future__ import annotations

import json

import pytest

from demo.processes import Program
from tests.stage.four_hosts import Stage, require_exact
from tests.stage.programs import run_program
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

COUNT = 1_000_000
OPTIONS = ("--count", str(COUNT), "--segment-values", "20000")


def start_a(stage: Stage, url: str, *more: str) -> Program:
    """Start server-a on its host, which sends so slowly that there is time for all that comes before the promotion."""
    return stage.start_a(url, *OPTIONS, *more)


def lose_acknowledged_signals(stage: Stage) -> None:
    """Let A get so far that the primary has at least 3 segments which its replica will never get."""
    wait_until(lambda: stage.replica.signals() >= 3, description="3 signals came to the replica")
    stage.primary.host.drop_all_of(stage.replica.host)
    goal = stage.primary.published() + 3  # the replica may have a segment whose signal is still to come
    wait_until(lambda: stage.primary.signals() >= goal, description="3 more segments were acknowledged")


def promote_replica(stage: Stage) -> None:
    """Promote the replica while A still sends slowly: at full speed it would be done before the cable is pulled."""
    stage.promote_replica()
    stage.a.speed_up()


@pytest.mark.parametrize("stage_kind", ["valkey9", "redis7"])
def test_b_follows_the_replica_that_is_promoted(stage: Stage) -> None:
    b = stage.start_b(stage.add_replica().url)
    a = start_a(stage, stage.moving_url)
    lose_acknowledged_signals(stage)
    promote_replica(stage)
    written, read = require_exact(a, b, stage.replica, count=COUNT)
    assert written["lost_acknowledged"] >= 3 * 20_000
    assert written["outage_s"] > 0
    assert read["mode"] in ("follow", "group")  # whichever it does when the last segment comes


def test_b_serves_at_the_address_that_moves(stage: Stage) -> None:
    """Verdicts and acknowledgements are lost with the primary, too.

    What B has pending at the new primary without knowing it, it claims from itself; here without a long wait.
    """
    stage.add_replica()
    b = stage.start_b(stage.moving_url, "--claim-idle-ms", "2000")
    a = start_a(stage, stage.moving_url)
    lose_acknowledged_signals(stage)
    promote_replica(stage)
    written, read = require_exact(a, b, stage.replica, count=COUNT)
    assert written["lost_acknowledged"] >= 3 * 20_000
    assert read["mode"] == "group"


def test_address_that_stays_with_the_old_primary(stage: Stage) -> None:
    """Two primaries, and nobody told A: the run is whole where A wrote it, and B says that it never came."""
    b = stage.start_b(stage.add_replica().url, "--wait-s", "3", "--settle-s", "1", "--max-deliveries", "1")
    a = start_a(stage, stage.primary.url, "--await-verdict-s", "1")
    lose_acknowledged_signals(stage)
    stage.a.speed_up()
    stage.replica.client.replicaof("NO", "ONE")
    assert b.wait(60) == 75, b.errors()
    assert "expected a complete run within 3 s, got none" in b.errors()
    assert a.wait(60) == 75, a.errors()
    written = json.loads(a.output())
    with stage.b.inside():
        late = run_program("server-b", "run", "--once", "--json", "--run", written["run_id"], server=stage.primary.url)
    assert late.exit_code == 0, late.stderr
    assert late.json()["digest"] == written["digest"]
