"""The README names every command, and every option that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.stage.command_tree import commands, options_of
from tests.stage.programs import Name

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(scope="module")
def readme() -> str:
    """The whole README."""
    return README.read_text("utf-8")


@pytest.mark.parametrize("line", commands(), ids=" ".join)
def test_every_command_is_named(readme: str, line: tuple[Name, str]) -> None:
    assert re.search(rf"\b{' '.join(line)}\b", readme)


def _calls(readme: str) -> list[tuple[Name, str, str]]:
    """Return each call of a program in code: program, words of the command, and what stands behind them."""
    code = re.findall(r"`([^`\n]+)`", readme) + re.findall(r"^ {4,}(.+)$", readme, re.MULTILINE)
    calls = []
    for piece in code:
        for program, words in commands():
            if found := re.match(rf"(?:\S+=\S+ )*{program} {words}\b(.*)", piece.strip()):
                calls.append((program, words, found[1]))
    return calls


def test_every_option_that_is_named_exists(readme: str) -> None:
    calls = _calls(readme)
    assert len(calls) > 10
    for program, words, rest in calls:
        known = set(options_of(commands()[program, words])) | {"--help"}
        named = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", rest.partition("#")[0]))
        assert named <= known, f"{program} {words}{rest}"


def test_every_variable_that_is_named_exists(readme: str) -> None:
    variables = {f"SERVER_{letter}_{name}" for letter in "AB" for name in ("PASSWORD", "SENTINEL_PASSWORD")}
    for command in commands().values():
        for option in options_of(command).values():
            variables |= {option.envvar} if isinstance(option.envvar, str) else set(option.envvar or ())
    assert set(re.findall(r"\bSERVER_[AB]_[A-Z_]+[A-Z]", readme)) <= variables


def test_it_is_short_and_begins_with_the_demo(readme: str) -> None:
    lines = readme.splitlines()
    assert len(lines) <= 200
    assert any("make demo" in line for line in lines[:12])
