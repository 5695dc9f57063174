"""The profile `loop`, and clones beside each other."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.stage.containers import NewProject
from tests.stage.engine import ROOT, docker, inspect
from tests.stage.project import Project
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]


def test_the_loop_hands_over_again_and_again(new_project: NewProject) -> None:
    project = new_project(env={"LOOP_S": "1", "SERVER_A_NAMESPACE": "show", "SERVER_B_NAMESPACE": "show"})
    project.compose("--profile", "loop", "up", "--no-build", "--detach")
    wait_until(
        lambda: project.compose("logs", "server-b").stdout.count(" verified: ") >= 3,
        description="three runs were verified",
        timeout_s=90,
    )
    project.compose("--profile", "loop", "stop", "loop")
    assert project.state("loop")["ExitCode"] == 0


def test_the_loop_heals_after_each_container_is_killed_and_after_a_minute_without_redis(
    new_project: NewProject,
) -> None:
    """B gives Redis up after a minute and ends with 69, A's run after a second; both begin again until it is back."""
    project = new_project(env={"LOOP_S": "1", "SERVER_A_PATIENCE_S": "1", "SERVER_A_AWAIT_VERDICT_S": "10"})
    project.compose("--profile", "loop", "up", "--no-build", "--detach")

    def goes_on(after: str) -> None:
        before = _verified(project)
        wait_until(lambda: _verified(project) >= before + 2, description=f"it goes on after {after}", timeout_s=180)

    goes_on("its start")
    for service in ("redis", "server-b", "loop"):
        project.signal(service, "KILL")
        wait_until(partial(_has_restarted, project, service), description=f"{service} was killed", timeout_s=60)
        goes_on(f"the end of {service}")
    restarts = _restarts(project, "server-b")
    project.compose("stop", "redis")
    wait_until(lambda: _restarts(project, "server-b") > restarts, description="B has given up", timeout_s=180)
    project.compose("start", "redis")
    goes_on("a minute without Redis")
    project.compose("--profile", "loop", "stop", "loop")
    assert project.state("loop")["ExitCode"] == 0
    counts = json.loads(re.findall(r"\| (\{.*)", project.log("loop"))[-1])
    assert counts["verified"] >= 2
    assert counts["outages"] >= 1


def _verified(project: Project) -> int:
    return project.log("server-b").count(" verified: ")


def _has_restarted(project: Project, service: str) -> bool:
    return _restarts(project, service) > 0


def _restarts(project: Project, service: str) -> int:
    return int(inspect(project.container(service))[0]["RestartCount"])


def test_two_clones_share_nothing(engine: None, tmp_path: Path) -> None:
    """Folders of two names are two projects, whose volumes, networks and images have names of their own."""
    found = []
    for name in ("one", "two"):
        clone = tmp_path / name
        shutil.copytree(ROOT / "deploy", clone / "deploy")
        shutil.copy(ROOT / "compose.yaml", clone)
        shown = docker("compose", "--profile", "*", "config", "--format", "json", directory=clone).stdout
        found.append(json.loads(shown))
    for part in ("volumes", "networks"):
        one, two = ({each["name"] for each in config[part].values()} for config in found)
        assert one.isdisjoint(two)
    built = [{each["image"] for each in config["services"].values() if "build" in each} for config in found]
    assert built == [{f"{name}-server-a", f"{name}-server-b", f"{name}-page"} for name in ("one", "two")]
    again = docker(
        "compose", "config", "--format", "json", directory=tmp_path / "two", env={"COMPOSE_PROJECT_NAME": "three"}
    )
    assert json.loads(again.stdout)["name"] == "three"
