"""A follower that is killed at any moment and started again misses no run and reports none twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from demo.processes import Program
from tests.programs import StartProgram
from tests.topologies.following import reports_of
from tests.topologies.raw import call
from tests.topologies.replicas import ReplicatedPair
from tests.waiting import wait_until

COUNT = 200_000
SEGMENTS = 4
RUN = ("--count", str(COUNT), "--segment-values", str(COUNT // SEGMENTS))
ROUNDS = 2


def moments(pair: ReplicatedPair, follower: Program, checkpoints: Path, run: int) -> list[Callable[[], bool]]:
    """Return when to kill: at the first signal, at the last, at the report, and when the checkpoint has moved."""
    signals_before = run * SEGMENTS

    def has_saved() -> bool:
        return any(len(json.loads(path.read_text())["reported"]) > run for path in checkpoints.glob("*.json"))

    return [
        lambda: call(pair.replica, "XLEN", "signals") > signals_before,
        lambda: call(pair.replica, "XLEN", "signals") == signals_before + SEGMENTS,
        lambda: bool(reports_of(follower)),
        has_saved,
    ]


def test_no_run_is_missed_or_reported_twice(pair: ReplicatedPair, start_program: StartProgram, tmp_path: Path) -> None:
    followers: list[Program] = []
    run_ids: list[str] = []

    def follow() -> Program:
        follower = start_program(
            "server-b", "run", "--json", server=pair.replica.url, env={"XDG_STATE_HOME": str(tmp_path)}
        )
        followers.append(follower)
        return follower

    def reported() -> list[str]:
        return [report["run_id"] for follower in followers for report in reports_of(follower)]

    for number in range(ROUNDS * 4):
        follower = follow()
        producer = start_program("server-a", "run", "--json", *RUN, server=pair.primary.url)
        moment = moments(pair, follower, tmp_path / "handover", number)[number % 4]
        wait_until(moment, description=f"moment {number % 4} has come")
        follower.send(signal.SIGKILL)
        assert producer.wait(30) == 0
        if len(reported()) == number:  # killed before it reported
            follow()
            wait_until(lambda: len(reported()) > number, description="the run is reported")  # noqa: B023 - the same
            followers[-1].send(signal.SIGKILL)
        run_ids.append(call(pair.primary, "HGET", "{biglist:1}:state", "run_id").decode())

    assert reported() == run_ids
    assert all(report["verdict"] == "verified" for follower in followers for report in reports_of(follower))
