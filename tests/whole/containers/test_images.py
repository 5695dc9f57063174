"""The images from outside: size, user, labels, what is in them, and that they run with nothing allowed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shared import __version__
from tests.stage.containers import build
from tests.stage.engine import PROGRAMS, ROOT, USERS, docker, inspect
from tests.stage.owned import new_name, run_image

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]

BASE = "python:3.13-slim"
MOST_ON_TOP_BYTES = 60_000_000
CONFINED = ("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
EACH = pytest.mark.parametrize("program", PROGRAMS)
EACH_IMAGE = pytest.mark.parametrize("name", [*PROGRAMS, *(f"{program}:azure" for program in PROGRAMS)])


def _shell(image: str, script: str) -> str:
    return run_image(image, "-c", script, options=(*CONFINED, "--entrypoint=sh")).stdout


@EACH_IMAGE
def test_it_adds_less_than_60_mb_to_the_base(images: dict[str, str], name: str) -> None:
    if docker("image", "inspect", BASE, ok=False).returncode:
        docker("pull", "-q", BASE, timeout_s=300)
    assert inspect(images[name])[0]["Size"] - inspect(BASE)[0]["Size"] < MOST_ON_TOP_BYTES


@EACH
def test_a_changed_source_file_leaves_the_layers_of_the_dependencies(
    images: dict[str, str], program: str, tmp_path: Path
) -> None:
    for name in ("requirements", "shared", "server_a", "server_b"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path)
    with (tmp_path / "shared" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    changed = f"{new_name()}:{program}"
    try:
        build(changed, program, context=str(tmp_path))
        before, after = (inspect(image)[0]["RootFS"]["Layers"] for image in (images[program], changed))
    finally:
        docker("image", "rm", changed, ok=False)
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]
    assert len(after) > len(inspect(BASE)[0]["RootFS"]["Layers"]) + 1


@EACH_IMAGE
def test_it_runs_as_a_user_of_its_own(images: dict[str, str], name: str) -> None:
    user = USERS[name.partition(":")[0]]
    assert inspect(images[name])[0]["Config"]["User"] == f"{user}:{user}"
    assert _shell(images[name], "id -u").strip() == user


@EACH
def test_labels_and_entry_point(images: dict[str, str], program: str) -> None:
    config = inspect(images[program])[0]["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["licenses"]) == (program, __version__, "MIT")
    assert labels["base.name"] == f"docker.io/library/{BASE}"
    assert all(labels[name] for name in ("description", "revision"))
    assert config["Entrypoint"] == ["python", "-m", program.replace("-", "_")]


@EACH_IMAGE
def test_nothing_of_the_other_program_is_in_it(images: dict[str, str], name: str) -> None:
    package = name.partition(":")[0].replace("-", "_")
    other = {"server_a": "server_b", "server_b": "server_a"}[package]
    found = run_image(images[name], "/", "-xdev", "-name", f"{other}*", options=("--user=0", "--entrypoint=find"))
    assert found.stdout == ""
    assert _shell(images[name], f"python -c 'import shared, {package}; print({package}.__file__)'").strip()


@EACH
def test_nothing_that_builds_or_installs_is_in_it(images: dict[str, str], program: str) -> None:
    assert _shell(images[program], "command -v gcc cc make git || true").strip() == ""
    assert _shell(images[program], "python -c 'import pip' 2>/dev/null && echo yes || echo no").strip() == "no"


@EACH
def test_its_user_owns_none_of_the_code(images: dict[str, str], program: str) -> None:
    assert _shell(images[program], f"find /opt/handover -user {USERS[program]} -o -perm -o+w ! -type l") == ""


@EACH
def test_the_code_is_compiled(images: dict[str, str], program: str) -> None:
    package = program.replace("-", "_")
    code = f"import {package}.cli as cli, pathlib; print(pathlib.Path(cli.__cached__).is_file(), cli.__file__)"
    assert _shell(images[program], f'python -c "{code}"').startswith("True /opt/handover/lib/")


@EACH_IMAGE
def test_help_and_version(images: dict[str, str], name: str) -> None:
    program = name.partition(":")[0]
    assert "Usage: " in run_image(images[name], "--help", options=CONFINED).stdout
    assert "--url" in run_image(images[name], "run", "--help", options=CONFINED).stdout
    assert run_image(images[name], "--version", options=CONFINED).stdout == f"{program} {__version__}\n"


@EACH
def test_only_the_azure_image_can_do_entra(images: dict[str, str], program: str) -> None:
    code = "from importlib.util import find_spec; print(find_spec('redis_entraid') is not None)"
    assert _shell(images[program], f'python -c "{code}"') == "False\n"
    assert _shell(images[f"{program}:azure"], f'python -c "{code}"') == "True\n"


@EACH
def test_an_endpoint_that_is_not_there_is_69(images: dict[str, str], program: str) -> None:
    url = f"{program.replace('-', '_').upper()}_REDIS_URL=redis://127.0.0.1:1/0"
    ended = run_image(images[program], options=(*CONFINED, "--tmpfs=/tmp", f"--env={url}"), ok=False)
    assert ended.returncode == 69, ended
    assert "Traceback" not in ended.stderr
