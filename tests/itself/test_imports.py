"""No test module imports another: what two of them need is in `tests.stage`, so each can be moved or removed alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
STAGE = "tests.stage"


def _modules_of_tests(source: str) -> Iterator[str]:
    """Yield the modules among the tests that a source text imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "tests":
            names = [f"tests.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # a relative import stays among the tests
            names = [f"tests.{node.module}" if node.level else str(node.module)]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "tests")


def test_the_tests_import_only_the_stage() -> None:
    wrong = {
        f"{file.relative_to(TESTS)} imports {name}"
        for file in TESTS.rglob("*.py")
        for name in _modules_of_tests(file.read_text("utf-8"))
        if name != STAGE and not name.startswith(f"{STAGE}.")
    }
    assert not wrong


def test_the_stage_has_no_tests() -> None:
    assert not list((TESTS / "stage").rglob("test_*.py"))


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import tests.demo.test_demo", ["tests.demo.test_demo"]),
        ("from tests.demo.test_demo import Stage", ["tests.demo.test_demo"]),
        ("def late():\n    from tests.demo import test_demo", ["tests.demo"]),
        ("from tests import demo, stage", ["tests.demo", "tests.stage"]),
        ("from .test_demo import Stage", ["tests.test_demo"]),
        ("from shared import keys\nimport testsuite", []),
    ],
)
def test_imports_are_found_however_they_are_written(source: str, modules: list[str]) -> None:
    assert list(_modules_of_tests(source)) == modules
