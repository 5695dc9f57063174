"""Each overlay of deploy/compose to its verdict; those that need what is not here as configuration alone."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from tests.containers.conftest import NewProject
from tests.containers.engine import ROOT, docker, environment

pytestmark = pytest.mark.timeout(900)

TLS_IMAGE = {"REDIS_IMAGE": os.environ.get("REDIS_TLS_IMAGE", "redis:7")}


@pytest.mark.parametrize(
    ("overlay", "ends", "segments", "env"),
    [
        ("replica", "server-b", 1, {}),
        ("cluster", "server-a", 12, {}),
        ("tls", "server-a", 1, TLS_IMAGE),
        ("sentinel", "server-a", 1, {}),
        ("scale", "server-a", 30, {}),
    ],
    ids=["replica", "cluster", "tls", "sentinel", "scale"],
)
def test_an_overlay_ends_with_the_verdict(
    new_project: NewProject, overlay: str, ends: str, segments: int, env: dict[str, str]
) -> None:
    command = f"docker compose -f compose.yaml -f deploy/compose/{overlay}.yaml up --exit-code-from {ends}"
    assert command in (ROOT / "deploy" / "compose" / f"{overlay}.yaml").read_text()
    project = new_project(overlay=overlay, env=env)
    try:
        ended = project.up_to_exit_of(ends)
        logs = project.compose("logs", "server-b").stdout
    finally:
        project.down()
    assert ended.returncode == 0, ended
    assert re.search(rf" verified: [\d,]+ values in {segments} segments?, complete, in order and once", logs)
    if overlay == "replica":
        assert re.search(r"endpoint=redis://replica:6379/0|replica", logs)
    if overlay == "scale":
        assert len(set(re.findall(r"^(server-b-\d+) .*segment examined", logs, re.MULTILINE))) == 3


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
    assert "set it in the env file" in ended.stderr


def test_insight_listens_on_this_host_alone_and_has_its_connection(engine: None) -> None:
    service = _config(os.devnull, "-f", "compose.yaml", "--profile", "insight")["services"]["insight"]
    assert [(port["host_ip"], port["published"]) for port in service["ports"]] == [("127.0.0.1", "5540")]
    assert service["environment"]["RI_PRE_SETUP_DATABASES_PATH"] == "/run/handover/databases.json"
    assert not [name for name in service["environment"] if "PASSWORD" in name]


def test_profiles_are_not_part_of_the_plain_project(engine: None) -> None:
    assert set(_config(os.devnull, "-f", "compose.yaml")["services"]) == {"passwords", "redis", "server-a", "server-b"}
