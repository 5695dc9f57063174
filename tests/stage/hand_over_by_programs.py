"""What the end-to-end tests share: both programs' JSON, and what has to be true once a run is handed over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from demo.processes import Program
from demo.servers import Server
from shared.keys import Keyspace
from tests.stage.hand_over_in_process import list_keys, list_values
from tests.stage.programs import run_program

if TYPE_CHECKING:
    import redis

# A's and B's JSON fields that have to agree.
AGREED = ("run_id", "count", "segments", "digest")


def verify(server: Server | str, namespace: str, run_id: str, *options: str) -> dict[str, Any]:
    """Run `server-b` until it has the verdict on a run, and return what it printed."""
    ended = run_program(
        "server-b", "run", "--run", run_id, "--wait-s", "30", "--json", *options, server=server, namespace=namespace
    )
    assert ended.exit_code == 0, ended.stderr
    report: dict[str, Any] = ended.json()
    assert report["verdict"] == "verified"
    return report


def resume(server: Server | str, namespace: str, run_id: str, *options: str) -> dict[str, Any]:
    """Go on with a run, to its end, and return what `server-a` printed."""
    ended = run_program("server-a", "run", "--resume", run_id, "--json", *options, server=server, namespace=namespace)
    assert ended.exit_code == 0, ended.stderr
    summary: dict[str, Any] = ended.json()
    return summary


def assert_exact(
    client: redis.Redis, keys: Keyspace, summary: dict[str, Any], report: dict[str, Any], *, count: int
) -> None:
    """Check that A and B agree, and that plain LRANGE finds the numbers 1 to count, once each and in order."""
    assert {name: summary[name] for name in AGREED} == {name: report[name] for name in AGREED}
    assert summary["count"] == count
    assert report["first"] == [str(number) for number in range(count, max(0, count - 10), -1)]
    assert report["last"] == "1"
    segments = summary["segments"]
    expected = count
    for number in range(segments, 0, -1):
        for value in list_values(client, keys.segment(number)):
            assert value == b"%d" % expected
            expected -= 1
    assert expected == 0
    own = {keys.segment(number) for number in range(1, segments + 1)}
    assert all(client.ttl(key) > 0 for key in list_keys(client, keys) - own), "only staging keys that expire are left"


def lines_of(program: Program) -> list[dict[str, Any]]:
    """Return the JSON objects that a program has printed so far, without a line that is still being written."""
    return [json.loads(line) for line in program.output().splitlines(keepends=True) if line.endswith("\n")]


def run_id_in_log(program: Program) -> str:
    """Return the run id that server-a logged at its start; empty when it has not."""
    for line in program.errors().splitlines(keepends=True):
        if '"run started"' in line and line.endswith("\n"):
            return str(json.loads(line)["run_id"])
    return ""
