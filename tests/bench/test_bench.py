"""`python -m bench` at its smallest: every contest has an outcome. What it measures is not judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.arena import help_contests
from bench.starts import start_contests
from demo.parent import ending_with_us
from demo.processes import program_environment
from tests.stage.servers import binary

ROOT = Path(__file__).parents[2]
FIELDS = {"job", "contender", "baseline", "measure", "median", "min", "max", "target"}


def _places(*options: str) -> dict[str, list[dict[str, Any]]]:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--count", "1000", "--users", "1000", "--rounds", "1", "--json", *options],
        cwd=ROOT,
        capture_output=True,
        env=program_environment(os.environ),
        check=False,
        start_new_session=True,
        preexec_fn=ending_with_us(),
    )
    assert ended.returncode == 0, ended.stderr.decode()
    found = json.loads(ended.stdout)
    assert set(found) == {"machine", "slowed_by_neighbour", "rounds", "outcomes"}
    assert found["rounds"] == 1
    places: dict[str, list[dict[str, Any]]] = found["outcomes"]
    return places


@pytest.mark.redis_server
@pytest.mark.slow
def test_every_contest_has_an_outcome() -> None:
    binary("valkey9")
    places = _places()
    helps = places.pop("no server")
    assert [outcome["contender"] for outcome in helps] == [contest.contender for contest in help_contests()]
    starts = places.pop("whole processes")
    assert [outcome["contender"] for outcome in starts] == [contest.contender for contest in start_contests("")]
    assert {outcome["measure"] for outcome in starts} == {"difference_ms"}
    assert len(places) == 2
    for outcomes in places.values():
        jobs = [(outcome["job"], outcome["contender"]) for outcome in outcomes]
        assert jobs == [
            ("write 1,000 values", "server-a's path"),
            ("read and verify 1,000 values", "server-b's path"),
            ("read and verify 1,000 values", "hiredis and BLAKE2b alone"),
            ("write 1,000 values", "server-a run"),
            ("read and verify 1,000 values", "server-b run"),
            ("write 1,000 lines", "server-a's path"),
            ("read and verify 1,000 lines", "server-b's path"),
            ("write 1,000 users", "server-a's path"),
        ]
    for outcome in [*helps, *starts, *(outcome for outcomes in places.values() for outcome in outcomes)]:
        assert set(outcome) >= FIELDS
        assert outcome["min"] <= outcome["median"] <= outcome["max"]
        assert outcome["measure"] in ("ratio", "difference_ms")
