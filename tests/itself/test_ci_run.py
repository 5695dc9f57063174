"""`.ci/run` runs what failed once more, alone; nothing but a test that passes then makes up for a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage.engine import ROOT

_MAKEFILE = """\
test:
\t{before}{python} -m pytest -q -n2 -p no:valkey $(ARGS)
"""
_TESTS = """\
from pathlib import Path
import pytest

def test_passes():
    note("passes")

def test_in_question():
    note("in question")
    assert {condition}

def note(name):
    with Path("ran.txt").open("a") as file:
        print(name, file=file)

def times():
    return Path("ran.txt").read_text().count("in question")
"""

pytestmark = [pytest.mark.chromium, pytest.mark.redis_server, pytest.mark.root]


def _checked(folder: Path, *, condition: str, before: str = "") -> tuple[int, str, list[str]]:
    """Run it on a project of two tests; return exit code, output, and which tests ran in which order."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci")
    (folder / "Makefile").write_text(_MAKEFILE.format(python=sys.executable, before=before))
    (folder / "test_two.py").write_text(_TESTS.format(condition=condition))
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MAKE", "MFLAGS"))
    }
    ended = subprocess.run(
        [folder / ".ci" / "run"],
        env=environment | {"ARGS": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    ran = folder / "ran.txt"
    return ended.returncode, ended.stdout + ended.stderr, ran.read_text().splitlines() if ran.exists() else []


def test_what_passes_is_run_once(tmp_path: Path) -> None:
    code, said, ran = _checked(tmp_path, condition="True")
    assert (code, sorted(ran)) == (0, ["in question", "passes"]), said
    assert "alone" not in said


def test_what_passes_only_alone_is_named(tmp_path: Path) -> None:
    code, said, ran = _checked(tmp_path, condition="times() > 1")
    assert (code, sorted(ran)) == (0, ["in question", "in question", "passes"]), said
    _, _, last = said.partition("passed only when run alone")
    assert "test_two.py::test_in_question" in last


@pytest.mark.parametrize("condition", ["False", "times() > 2"])
def test_what_fails_twice_fails(tmp_path: Path, condition: str) -> None:
    code, said, ran = _checked(tmp_path, condition=condition)
    assert (code != 0, ran.count("in question")) == (True, 2), said


def test_what_fails_before_the_tests_fails(tmp_path: Path) -> None:
    code, said, ran = _checked(tmp_path, condition="True", before="false && ")
    assert (code != 0, ran) == (True, []), said


def test_what_fails_though_no_test_does_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("def pytest_sessionfinish(session):\n    session.exitstatus = 3\n")
    code, said, ran = _checked(tmp_path, condition="True")
    assert (code != 0, sorted(ran)) == (True, ["in question", "passes"]), said
