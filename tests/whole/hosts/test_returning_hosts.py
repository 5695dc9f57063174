"""A host is gone for longer than anybody waits, and comes back: the work goes on where it was."""

from __future__ import annotations

import re
import signal

import pytest

from demo.processes import Program
from tests.stage.four_hosts import Stage, require_exact
from tests.stage.waiting import wait_until

pytestmark = pytest.mark.root

COUNT = 1_000_000
OPTIONS = ("--count", str(COUNT), "--segment-values", "50000")


def resumed_run(errors: str) -> str:
    """Return the run id in the command that server-a advises."""
    found = re.search(r"go on with: server-a run --resume (\S+)", errors)
    assert found, errors
    return found.group(1)


def require_killed(program: Program) -> None:
    """Kill a program and require that this is what ended it."""
    program.send(signal.SIGKILL)
    assert program.wait(60) == 128 + signal.SIGKILL


def test_host_of_a(stage: Stage) -> None:
    """It dies without a word: its connections stay open at the server, with a half-written segment."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.signals() >= 5, description="5 segments were signalled")
    stage.a.pull_cable()
    require_killed(a)
    stage.a.speed_up()
    stage.a.plug_in()
    run_id = stage.primary.newest_run_id()
    a = stage.start_a(stage.primary.url, "--resume", run_id)
    written, _ = require_exact(a, b, stage.primary, count=COUNT)
    assert written["run_id"] == run_id
    assert written["attempts"] < 20


def test_host_of_b(stage: Stage) -> None:
    """Its successor has another name, and claims what was pending with the dead one."""
    b = stage.start_b(stage.primary.url, "--consumer", "first")
    a = stage.start_a(stage.primary.url, *OPTIONS)
    wait_until(lambda: stage.primary.verdicts() >= 5, description="5 segments were verified")
    stage.b.pull_cable()
    require_killed(b)
    stage.a.speed_up()
    stage.b.plug_in()
    b = stage.start_b(stage.primary.url, "--consumer", "second", "--claim-idle-ms", "1000")
    _, read = require_exact(a, b, stage.primary, count=COUNT)
    assert read["consumer"] == "second"
    assert stage.primary.pending() == 0


def test_host_of_the_primary(stage: Stage) -> None:
    """A's patience ends: it says that nobody answers, and how to go on, and B waits meanwhile."""
    b = stage.start_b(stage.primary.url)
    a = stage.start_a(stage.primary.url, *OPTIONS, "--patience-s", "3")
    wait_until(lambda: stage.primary.signals() >= 5, description="5 segments were signalled")
    stage.primary.host.pull_cable()
    assert a.wait(60) == 69, a.errors()
    assert a.output() == ""
    stage.a.speed_up()
    stage.primary.host.plug_in()
    a = stage.start_a(stage.primary.url, "--resume", resumed_run(a.errors()))
    written, _ = require_exact(a, b, stage.primary, count=COUNT)
    assert written["attempts"] < 20
