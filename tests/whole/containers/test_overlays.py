"""Each overlay of deploy/compose to its verdict; those that need what is not here as configuration alone."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.stage.confinement import check_confined, networks_of
from tests.stage.containers import NewProject
from tests.stage.engine import ROOT, docker, environment
from tests.stage.project import Project
from tests.stage.strangers import (
    ADMIN,
    WATCHER,
    check_that_a_stranger_can_not_join,
    check_that_a_stranger_can_not_turn_the_sentinels,
)
from tests.stage.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]

TLS_IMAGE = {"REDIS_IMAGE": os.environ.get("REDIS_TLS_IMAGE", "redis:7")}


def _up_to_the_verdict(project: Project, overlay: str, *, ends: str, segments: int) -> str:
    """Run the overlay's own command to the verdict, look at what it ran in, and return B's log."""
    command = f"docker compose -f compose.yaml -f deploy/compose/{overlay}.yaml up --exit-code-from {ends}"
    assert command in (ROOT / "deploy" / "compose" / f"{overlay}.yaml").read_text()
    ended = project.up_to_exit_of(ends)
    assert ended.returncode == 0, ended
    log = project.log("server-b")
    assert re.search(rf" verified: [\d,]+ values in {segments} segments?, complete, in order and once", log)
    containers = project.containers()
    check_confined(containers)
    assert networks_of(containers, "server-a").isdisjoint(networks_of(containers, "server-b"))
    passwords, shown = project.passwords(), str(containers) + project.compose("logs").stdout
    assert len(set(passwords)) == len(passwords) >= 4
    assert [word for word in passwords if word in shown] == []
    return log


def test_replica(new_project: NewProject) -> None:
    project = new_project(overlay="replica")
    log = _up_to_the_verdict(project, "replica", ends="server-b", segments=1)
    assert "following a replica" in log
    containers = project.containers()
    assert networks_of(containers, "server-a").isdisjoint(networks_of(containers, "replica"))
    assert networks_of(containers, "server-b").isdisjoint(networks_of(containers, "redis"))
    _check_that_the_checkpoint_outlives_the_containers(project)


def _check_that_the_checkpoint_outlives_the_containers(project: Project) -> None:
    reported = "import glob, json; print(*json.load(open(*glob.glob('/state/handover/*.json')))['reported'])"
    first = project.python("server-b", reported).split()
    project.compose("down")
    project.env["SERVER_B_JSON"] = "1"
    ended = project.up_to_exit_of("server-b")
    assert ended.returncode == 0, ended
    report = json.loads(re.findall(r"\| (\{.*)", project.log("server-b"))[0])
    assert (report["verdict"], report["mode"], report["endpoint"]) == ("verified", "follow", "redis://replica:6379/0")
    assert project.python("server-b", reported).split() == [*first, report["run_id"]]
    assert len(first) == 1


def test_cluster(new_project: NewProject) -> None:
    """Six nodes, also when they come back at other addresses."""
    project = new_project(overlay="cluster")
    _up_to_the_verdict(project, "cluster", ends="server-a", segments=12)
    project.compose("up", "--no-build", "--detach", "cluster")
    docker("wait", project.container("cluster"))
    assert project.state("cluster")["ExitCode"] == 0, project.log("cluster")
    admin = ADMIN
    info = project.shell("redis", f"{admin} cluster info")
    assert {"cluster_state:ok", "cluster_known_nodes:6", "cluster_size:3"} <= set(info.split())
    nodes = project.shell("redis", f"{admin} cluster nodes").splitlines()
    announced = {(node.split()[1].rpartition(",")[2], node.split()[1].partition("@")[0][-4:]) for node in nodes}
    assert announced == {("redis", str(port)) for port in range(6379, 6385)}, "the gate's name, each at its own port"
    roles = [re.search(r"master|slave", node.split()[2]) for node in nodes]
    assert sorted(role[0] for role in roles if role) == ["master"] * 3 + ["slave"] * 3
    check_that_a_stranger_can_not_join(project)


def test_tls(new_project: NewProject) -> None:
    project = new_project(overlay="tls", env=TLS_IMAGE)
    _up_to_the_verdict(project, "tls", ends="server-a", segments=1)
    containers = project.containers()
    assert containers["redis"][0]["Config"]["Image"] == TLS_IMAGE["REDIS_IMAGE"]
    assert "TLS_INSECURE=" not in str(containers)
    assert project.compose("run", "--rm", "-T", "server-a", "check").returncode == 0
    plain = project.shell("redis", "redis-cli -h redis ping 2>&1 || true")
    assert "PONG" not in plain
    assert "NOAUTH" not in plain
    for option, code, says in (
        (
            "SERVER_A_REDIS_URL=redis://server-a@redis:6379/0",
            78,
            "expected a server without TLS, got one that speaks TLS",
        ),
        ("SERVER_A_TLS_CA=/etc/ssl/certs/ca-certificates.crt", 77, "expected a certificate that verifies"),
    ):
        ended = project.compose("run", "--rm", "--no-deps", "-T", "-e", option, "server-a", "check", ok=False)
        assert ended.returncode == code, ended
        assert says in ended.stderr


def test_sentinel(new_project: NewProject) -> None:
    """After the verdict the primary is killed, and a second run comes to its verdict through the new one."""
    project = new_project(overlay="sentinel")
    _up_to_the_verdict(project, "sentinel", ends="server-a", segments=1)
    project.compose("up", "--no-build", "--detach")
    assert docker("wait", project.container("server-a"), timeout_s=120).stdout == "0\n"

    def primary() -> str:
        return project.shell("sentinel-1", f"{WATCHER} sentinel get-master-addr-by-name handover").split()[0]

    assert primary() == "redis"
    check_that_a_stranger_can_not_turn_the_sentinels(project)
    assert primary() == "redis"
    project.compose("kill", "redis")
    wait_until(lambda: primary() == "replica", description="the Sentinels have promoted the replica", timeout_s=60)
    second = project.compose("run", "--rm", "--no-deps", "-T", "server-a", ok=False)
    assert second.returncode == 0, (second, project.log("server-b"))
    assert "server-b's verdict: verified." in second.stdout
    assert project.state("redis")["Status"] == "exited"


def test_scale(new_project: NewProject) -> None:
    project = new_project(overlay="scale")
    log = _up_to_the_verdict(project, "scale", ends="server-a", segments=30)
    assert len(set(re.findall(r"^(server-b-\d+) .*segment examined", log, re.MULTILINE))) == 3


def _config(*arguments: str) -> dict[str, Any]:
    found = docker("compose", "--env-file", *arguments, "config", "--format", "json", env=environment())
    config: dict[str, Any] = json.loads(found.stdout)
    return config


def test_azure_is_both_programs_with_entra_and_no_redis(engine: None) -> None:
    files = ("-f", "compose.yaml", "-f", "deploy/compose/azure.yaml")
    services = _config("deploy/compose/azure.env.example", *files)["services"]
    assert set(services) == {"server-a", "server-b"}
    for letter in "ab":
        service = services[f"server-{letter}"]
        assert service["build"]["args"]["EXTRAS"] == "azure"
        assert service["environment"][f"SERVER_{letter.upper()}_AUTH"] == "entra"
        assert service["environment"][f"SERVER_{letter.upper()}_REDIS_URL"].startswith("rediss://")
        assert service["environment"].get(f"SERVER_{letter.upper()}_PASSWORD_FILE") is None
        assert "depends_on" not in service


def test_azure_without_its_env_file_says_what_lacks(engine: None) -> None:
    files = ("-f", "compose.yaml", "-f", "deploy/compose/azure.yaml")
    ended = docker("compose", "--env-file", os.devnull, *files, "config", ok=False)
    assert ended.returncode != 0
    assert "no endpoint is set; copy deploy/compose/azure.env.example to .env and fill it in" in ended.stderr


def test_observe_sends_both_programs_telemetry_to_one_receiver(engine: None) -> None:
    """As configuration alone: the receiver's image is not to be had here."""
    services = _config(os.devnull, "-f", "compose.yaml", "-f", "deploy/compose/observe.yaml")["services"]
    receiver = services["lgtm"]
    assert [(port["host_ip"], port["published"]) for port in receiver["ports"]] == [("127.0.0.1", "3000")]
    for letter in "ab":
        service = services[f"server-{letter}"]
        assert service["build"]["args"]["EXTRAS"] == "otel"
        assert service["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://lgtm:4318"
        assert set(service["networks"]) == {letter, f"telemetry-{letter}"}
        assert service["depends_on"]["redis"]["condition"] == "service_healthy"
    assert services["server-a"]["environment"]["SERVER_A_EVERY"] == "5"
    sources = {mount["target"]: Path(mount["source"]).relative_to(ROOT) for mount in receiver["volumes"]}
    assert sources["/otel-lgtm/handover.json"] == Path("deploy/dashboards/handover.json")


def test_insight_listens_on_this_host_alone_and_has_its_connection(engine: None) -> None:
    service = _config(os.devnull, "-f", "compose.yaml", "--profile", "insight")["services"]["insight"]
    assert [(port["host_ip"], port["published"]) for port in service["ports"]] == [("127.0.0.1", "5540")]
    assert service["environment"]["RI_PRE_SETUP_DATABASES_PATH"] == "/run/handover/databases.json"
    assert not [name for name in service["environment"] if "PASSWORD" in name]


def test_profiles_are_not_part_of_the_plain_project(engine: None) -> None:
    assert set(_config(os.devnull, "-f", "compose.yaml")["services"]) == {"passwords", "redis", "server-a", "server-b"}
