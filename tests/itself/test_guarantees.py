"""docs/guarantees.md names the tests that hold each promise; every one of them exists, and every promise has one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def _tests_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    assert NAMED
    missing = [f"{path}::{name}" for path, name in NAMED if not (ROOT / path).is_file() or name not in _tests_of(path)]
    assert not missing


def test_every_test_that_is_named_is_collected_and_none_is_skipped() -> None:
    """A name can stand in a file that pytest passes over, in a class or function of another, or above no cases."""
    named = sorted({f"{path}::{name}" for path, name in NAMED})
    arguments = ("--collect-only", "-q", "--no-header", "-p", "no:cacheprovider", *named)
    ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], capture_output=True, cwd=ROOT, check=False)
    collected = ended.stdout.decode()
    assert ended.returncode == 0, collected[-2_000:]
    assert {line.partition("[")[0] for line in collected.splitlines() if "::" in line} == set(named)
    assert "[NOTSET" not in collected, "a test without cases"
    assert not [f"{path}::{name}" for path, name in NAMED if _is_skipped(path, name)]


def _is_skipped(path: str, name: str) -> bool:
    """Return whether a mark of the test's own, or of its file, lets it be passed over where CI runs, on Linux."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    marks: list[ast.AST] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            marks += node.decorator_list
    return any(
        re.search(r"\bmark\.(skip|skipif(?!\(sys\.platform != 'linux')|xfail)\b", ast.unparse(mark)) for mark in marks
    )


def test_every_promise_names_a_test() -> None:
    promised, _, _ = TEXT.partition("## What can still be lost")
    rows = [line for line in promised.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert len(rows) > 20
    without = [row for row in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+`", row)]
    assert not without


def test_what_is_named_is_named_as_pytest_takes_it() -> None:
    assert TEXT.count("::test_") == len(NAMED)
