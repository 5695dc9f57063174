"""A follower that is killed at any moment and started again."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.processes import Program
from tests.stage.following import reports_of
from tests.stage.programs import StartProgram
from tests.stage.raw import call
from tests.stage.replicas import ReplicatedPair
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]

COUNT = 200_000
SEGMENTS = 4
RUN = ("--count", str(COUNT), "--segment-values", str(COUNT // SEGMENTS))
ROUNDS = 2


def test_no_run_is_missed_and_none_reported_twice_that_the_checkpoint_has(
    pair: ReplicatedPair, start_program: StartProgram, tmp_path: Path
) -> None:
    """A run that was printed when the kill came, but not saved yet, is expected once more."""
    followers: list[Program] = []
    expected: list[str] = []

    def follow() -> Program:
        follower = start_program(
            "server-b", "run", "--json", server=pair.replica.url, env={"XDG_STATE_HOME": str(tmp_path)}
        )
        followers.append(follower)
        return follower

    def saved() -> list[str]:
        return [run_id for path in tmp_path.glob("*/*.json") for run_id in json.loads(path.read_text())["reported"]]

    for number in range(ROUNDS * 4):
        follower = follow()
        producer = start_program("server-a", "run", "--json", *RUN, server=pair.primary.url)
        moment = moments(pair, follower, saved, number)[number % 4]
        wait_until(moment, description=f"moment {number % 4} has come")
        follower.send(signal.SIGKILL)
        follower.wait(60)
        assert producer.wait(60) == 0
        run_id = call(pair.primary, "HGET", "{biglist}:state", "run_id").decode()
        expected += [run_id]
        if run_id not in saved():
            expected += [report["run_id"] for report in reports_of(follower)]
            follow()
            wait_until(lambda: run_id in saved(), description="the run is reported and saved")  # noqa: B023 - the same
            followers[-1].send(signal.SIGKILL)

    reports = [report for follower in followers for report in reports_of(follower)]
    assert [report["run_id"] for report in reports] == expected
    assert {report["verdict"] for report in reports} == {"verified"}


def moments(
    pair: ReplicatedPair, follower: Program, saved: Callable[[], list[str]], run: int
) -> list[Callable[[], bool]]:
    """Return when to kill: at the first signal, at the last, at the report, and when the checkpoint has moved."""
    signals_before = run * SEGMENTS
    return [
        lambda: call(pair.replica, "XLEN", "signals") > signals_before,
        lambda: call(pair.replica, "XLEN", "signals") == signals_before + SEGMENTS,
        lambda: bool(reports_of(follower)),
        lambda: len(saved()) > run,
    ]
