"""`server-b report` on the host of a follower, whose verdicts are in a file there."""

from __future__ import annotations

import pytest

from tests.stage.following import Following
from tests.stage.html_reading import ReadHtml
from tests.stage.programs import run_program
from tests.stage.replicas import ReplicatedPair

pytestmark = [pytest.mark.cluster, pytest.mark.kept_together("topologies")]


def test_a_run_that_was_followed_on_a_replica(pair: ReplicatedPair, following: Following) -> None:
    following.produce(count=2_500, segment_values=1_000)
    url = pair.replica.url
    ended = run_program("server-b", "run", "--once", "--wait-s", "30", server=url, env=following.env)
    assert ended.exit_code == 0, ended.stderr
    found = run_program("server-b", "report", "--json", server=url, env=following.env).json()
    assert (found["run"]["verdict"], found["is_followed"], found["endpoint"]["role"]) == ("verified", True, "replica")
    assert found["run"]["digest_a"] == found["run"]["digest_b"] != ""
    drawn = run_program("server-b", "report", "--html", "-", server=url, env=following.env)
    assert "follows the replica" in ReadHtml(drawn.stdout).text
    elsewhere = run_program("server-b", "report", "--json", server=url, env={"XDG_STATE_HOME": "/nonexistent"})
    assert elsewhere.json()["run"]["verdict"] == "pending"
