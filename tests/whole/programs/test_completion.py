"""Completion by the shell, as the README says: tried in bash; of the others only that there is a script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.processes import program_environment
from tests.stage.programs import Name

README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has both programs of this clone."""
    for name in ("server-a", "server-b"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name.replace("-", "_")} "$@"\n')
        program.chmod(0o755)
    return {**program_environment(os.environ), "PATH": f"{tmp_path}:{os.environ['PATH']}"}


def _in_bash(script: str, environment: dict[str, str]) -> str:
    ended = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize(
    ("program", "line", "expected"),
    [
        ("server-a", "server-a sta", "status"),
        ("server-a", "server-a cart a", "add"),
        ("server-a", "server-a run --seg", "--segment-values"),
        ("server-a", "server-a run --url redis://u:s3cr7t9@h:x --log-l", "--log-level"),
        ("server-a", "server-a run --namespace ! --log-level d", "debug"),
        ("server-b", "server-b dead r", "retry"),
    ],
)
def test_bash_completes(environment: dict[str, str], program: Name, line: str, expected: str) -> None:
    letter = program[-1]
    found = re.search(r'`(eval "\$\(_SERVER_A_COMPLETE=bash_source server-a\)")`', README)
    assert found, "the README says how"
    setup = found[1].replace("server-a", program).replace("SERVER_A", f"SERVER_{letter.upper()}")
    words = " ".join(f"'{word}'" for word in line.split())
    number = len(line.split()) - 1
    script = f"{setup}\nCOMP_WORDS=({words}); COMP_CWORD={number}; _server_{letter}_completion {program}"
    assert _in_bash(f'{script}\necho "${{COMPREPLY[@]}}"', environment) == f"{expected}\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script(environment: dict[str, str], shell: str) -> None:
    assert f"{shell}_source" in README
    script = _in_bash(f"_SERVER_B_COMPLETE={shell}_source server-b", environment)
    assert f"_SERVER_B_COMPLETE={shell}_complete" in script
