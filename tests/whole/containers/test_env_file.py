"""`.env` beside compose.yaml, as `.env.example` says: every variable in it reaches its place."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stage.engine import ROOT, docker

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers")]

EXAMPLE = (ROOT / ".env.example").read_text()
NAMES = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
# Values that compose checks, and how it shows them; the others get their names as values.
CHECKED = {
    "FILES_A": ("./own/a", "/own/a"),
    "FILES_B": ("./own/b", "/own/b"),
    "GRAFANA_PORT": ("3999", "3999"),
    "INSIGHT_PORT": ("5599", "5599"),
    "PAGE_PORT": ("8099", "8099"),
    "REDIS_MEM_LIMIT": ("777m", str(777 << 20)),
    "RESTART_B": ("on-failure", "on-failure"),
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The compose files in a folder of their own, with no variable set outside."""
    for name in ("REDIS_IMAGE", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    return tmp_path


def _config(clone: Path, *files: str) -> dict[str, Any]:
    arguments = [word for file in files for word in ("-f", file)]
    shown = docker("compose", *arguments, "--profile", "*", "config", "--format", "json", directory=clone).stdout
    services: dict[str, Any] = json.loads(shown)["services"]
    return services


def _value(name: str) -> str:
    return CHECKED[name][0] if name in CHECKED else f"of-{name.lower()}"


def test_every_variable_of_the_file_reaches_its_place(engine: None, clone: Path) -> None:
    line = re.compile(r"^#?([A-Z][A-Z0-9_]+)=.*", re.MULTILINE)
    (clone / ".env").write_text(line.sub(lambda found: f"{found[1]}={_value(found[1])}", EXAMPLE))
    services = _config(clone)
    for name in NAMES:
        if name.startswith(("SERVER_A_", "SERVER_B_")):
            program = "server-a" if name.startswith("SERVER_A_") else "server-b"
            assert services[program]["environment"][name] == _value(name)
    assert services["server-a"]["image"] == _value("IMAGE_A")
    assert services["server-b"]["image"] == _value("IMAGE_B")
    assert {services[name]["image"] for name in ("redis", "passwords")} == {_value("REDIS_IMAGE")}
    azure = _config(clone, "compose.yaml", "deploy/compose/azure.yaml")
    observed = _config(clone, "compose.yaml", "deploy/compose/observe.yaml")
    for name in NAMES:
        shown = CHECKED[name][1] if name in CHECKED else _value(name)
        place = observed if name in ("LGTM_IMAGE", "GRAFANA_PORT") else services
        assert shown in str(azure if name.startswith("AZURE_") else place), name


def test_the_example_as_it_stands_changes_nothing(engine: None, clone: Path) -> None:
    plain = _config(clone)
    (clone / ".env").write_text(EXAMPLE)
    assert _config(clone) == plain
