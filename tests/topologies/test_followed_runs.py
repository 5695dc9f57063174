"""Runs that a follower sees out of the ordinary: superseded, abandoned, or written again after they were reported."""

from __future__ import annotations

from tests.programs import StartProgram, run_program
from tests.topologies.following import Following, reports_of, wait_for_report
from tests.topologies.replicas import ReplicatedPair

SEGMENTS = {"count": 30, "segment_values": 10}


def test_a_superseded_run_ends_a_follower_as_it_ends_the_group(following: Following, pair: ReplicatedPair) -> None:
    old = following.produce(**SEGMENTS)
    new = following.produce(**SEGMENTS)

    ends = [
        run_program("server-b", "run", "--run", old, "--json", "--wait-s", "10", server=server, env=following.env)
        for server in (pair.primary, pair.replica)
    ]

    assert [ended.exit_code for ended in ends] == [75, 75]
    for ended, mode in zip(ends, ("group", "follow"), strict=True):
        report = ended.json()
        assert (report["run_id"], report["verdict"], report["mode"]) == (old, "superseded", mode)
        assert report["reason"] == f"segment 1: by run {new}"


def test_a_follower_that_serves_reports_superseded_runs_too(
    following: Following, pair: ReplicatedPair, start_program: StartProgram
) -> None:
    run_ids = [following.produce(**SEGMENTS) for _ in range(2)]

    follower = start_program("server-b", "run", "--json", server=pair.replica, env=following.env)
    wait_for_report(follower, run_ids[1])

    found = [(report["run_id"], report["verdict"]) for report in reports_of(follower)]
    assert found == list(zip(run_ids, ("superseded", "verified"), strict=True))
