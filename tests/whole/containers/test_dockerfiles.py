"""What can be seen of the images without building them: the linter's view, the context, the variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared import __version__
from tests.stage.command_tree import GROUPS, commands, options_of
from tests.stage.engine import ROOT
from tests.stage.needs import missing

DOCKERFILES = [ROOT / "server_a" / "Dockerfile", ROOT / "server_b" / "Dockerfile"]
COMPOSE_FILES = [ROOT / "compose.yaml", *sorted((ROOT / "deploy" / "compose").glob("*.yaml"))]
SET_BY_COMPOSE = {"COMPOSE_PROJECT_NAME"}  # the folder's name, unless somebody sets another
SET_BY_IMAGE = {"SERVER_B_HEARTBEAT_FILE"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_linter_has_nothing_to_say(dockerfile: Path) -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        missing("hadolint is not installed")
    ended = subprocess.run([linter, dockerfile], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_two_dockerfiles_differ_only_in_their_program() -> None:
    a, b = (path.read_text() for path in DOCKERFILES)
    stages = [re.split(r"^FROM ", text, flags=re.MULTILINE)[1] for text in (a, b)]
    assert stages[0] == stages[1].replace("server_b", "server_a")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_label_has_the_version(dockerfile: Path) -> None:
    assert f"ARG VERSION={__version__}\n" in dockerfile.read_text()


def _option_variables() -> set[str]:
    """Return the variables of every option of both `run` commands."""
    variables = {f"SERVER_{letter}_{name}" for letter in "AB" for name in ("PASSWORD", "SENTINEL_PASSWORD")}
    for program in GROUPS:
        for parameter in options_of(commands()[program, "run"]).values():
            names = parameter.envvar or []
            variables |= {names} if isinstance(names, str) else {name for name in names if name != "REDIS_URL"}
    return variables - SET_BY_IMAGE


def test_every_option_of_run_can_be_set_from_outside() -> None:
    passed_on = set(re.findall(r"^ +- (SERVER_[AB]_\w+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE))
    assert _option_variables() <= passed_on


def test_the_example_names_exactly_the_variables_that_are_read() -> None:
    read = _option_variables()
    for file in COMPOSE_FILES:
        text = re.sub(r"^ *#.*", "", file.read_text(), flags=re.MULTILINE)
        read |= set(re.findall(r"(?<!\$)\$\{(\w+)", text))
        read |= set(re.findall(r"^ +- ([A-Z][A-Z0-9_]+)$", text, re.MULTILINE))
        read |= {name for names in re.findall(r"args: \[([A-Z_, ]+)\]", text) for name in names.split(", ")}
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == read - SET_BY_COMPOSE


@pytest.mark.parametrize("overlay", COMPOSE_FILES, ids=lambda path: path.stem)
def test_each_file_begins_with_what_it_shows_and_its_command(overlay: Path) -> None:
    comment = re.match(r"(#.*\n)+", overlay.read_text())
    assert comment
    assert "#   docker compose " in comment[0]
