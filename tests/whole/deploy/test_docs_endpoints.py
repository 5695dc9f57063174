"""The commands of docs/endpoints.md work as they stand, on servers of ours in the place of its example hosts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.stage.documented_endpoints import SCENARIOS, Stage
from tests.stage.programs import Finished, Name, run_program
from tests.stage.servers import NewServer

pytestmark = [pytest.mark.cluster, pytest.mark.redis_server]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "endpoints.md"


@dataclass(frozen=True)
class Block:
    """Commands that stand together.

    Attributes:
        scenario: Which servers they need.
        lines: One command each.
    """

    scenario: str
    lines: tuple[str, ...]


@pytest.fixture
def stage(new_server: NewServer, tmp_path: Path) -> Iterator[Stage]:
    """An empty stage."""
    with ExitStack() as stack:
        yield Stage(tmp_path, new_server, stack)


def _blocks() -> list[Block]:
    found = re.findall(r"^<!-- run: (\S+) -->\n```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(scenario, tuple(code.splitlines())) for scenario, code in found]


def _run(line: str, stage: Stage) -> Finished:
    """Run one command, `[VARIABLE=value]... PROGRAM ARGUMENT...`, where the page's hosts and files are the stage's."""
    line = re.sub(r"\$\(cat (\S+)\)", lambda found: (stage.directory / found[1]).read_text().rstrip(), line)
    for host, ours in stage.hosts.items():
        line = line.replace(host, ours)
    words = [str(stage.directory / word) if word in stage.files else word for word in shlex.split(line)]
    variables = dict(word.split("=", 1) for word in words if re.match("[A-Z_]+=", word))
    variables = {name: str(stage.directory / text) if text in stage.files else text for name, text in variables.items()}
    program, *arguments = words[len(variables) :]
    assert program in ("server-a", "server-b")
    variables["XDG_STATE_HOME"] = str(stage.directory / "state")
    return run_program(cast("Name", program), *arguments, env=variables, timeout_s=100)


@pytest.mark.parametrize("block", _blocks(), ids=lambda block: block.scenario)
def test_the_commands_of_a_block(block: Block, stage: Stage) -> None:
    build: Callable[[Stage], None] = SCENARIOS[block.scenario]
    build(stage)
    for line in block.lines:
        ended = _run(line, stage)
        assert ended.exit_code == 0, f"{line}\n{ended.stderr}"
        if "server-b run" in line:
            assert " verified: " in ended.stdout


def test_no_command_of_a_page_holds_a_password() -> None:
    """The shell's history keeps what is typed, and the process list shows arguments to everybody on the host."""
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").rglob("*.md"), ROOT / "README.md"]
    in_variable, in_url = r"(?:PASSWORD|AUTH)=(?!\$\()\S", r"://[^\s/]*:[^\s/@]+@\S"
    typed = re.compile(rf"{in_variable}|{in_url}|REDISCLI_AUTH|\becho [^$]*password-of|\bsed [^|]*password-of|xargs")
    found = [
        f"{page.name}: {line}"
        for page in pages
        for block in re.findall(r"^```sh.*?^```$|^    .*$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()[1 if block.startswith("```") else 0 :]
        if typed.search(line)
    ]
    assert not found


def test_every_command_of_the_page_is_run() -> None:
    page = PAGE.read_text("utf-8")
    fenced = sum(len(code.splitlines()) for code in re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert fenced == sum(len(block.lines) for block in _blocks())
    assert {block.scenario for block in _blocks()} == set(SCENARIOS)
