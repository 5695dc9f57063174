"""Eight `server-b run --once` started at once on a short run: each ends with it, or says why it waits for another."""

from __future__ import annotations

import json

from demo.servers import Server
from tests.stage.programs import StartProgram, run_program
from tests.stage.waiting import wait_until

ONCE = ("run", "--once", "--json", "--wait-s")
LATE = 4


def test_those_that_are_up_after_the_run_was_complete_name_it(
    server: Server, namespace: str, start_program: StartProgram
) -> None:
    """Half of them find the server only when another one has reported the run: they are started then."""
    produced = run_program(
        "server-a", "run", "--count", "60", "--segment-values", "10", "--json", server=server, namespace=namespace
    )
    run_id = produced.json()["run_id"]
    at_once = [start_program("server-b", *ONCE, "10", server=server, namespace=namespace) for _ in range(8 - LATE)]
    wait_until(lambda: any(each.output() for each in at_once), description="the run is reported")
    late = [start_program("server-b", *ONCE, "2", server=server, namespace=namespace) for _ in range(LATE)]
    ends = {each: each.wait(60) for each in (*at_once, *late)}
    for each, exit_code in ends.items():
        if exit_code:
            assert exit_code == 75, each.errors()
            *_, last = each.errors().splitlines()
            assert f"got none after run {run_id}, which --run {run_id} ends at" in last
            assert each.output() == ""
        else:
            report = json.loads(each.output())
            assert (report["run_id"], report["verdict"]) == (run_id, "verified")
    assert [ends[each] for each in late] == [75] * LATE
    assert 0 in ends.values()
    named = run_program("server-b", "run", "--run", run_id, "--json", server=server, namespace=namespace)
    assert (named.exit_code, named.json()["run_id"]) == (0, run_id)
