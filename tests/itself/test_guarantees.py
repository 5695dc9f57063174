"""docs/guarantees.md names the tests that hold each promise; every one of them exists, and every promise has one."""

from __future__ import annotations

import ast
import re
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


def test_every_promise_names_a_test() -> None:
    promised, _, _ = TEXT.partition("## What can still be lost")
    rows = [line for line in promised.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert len(rows) > 20
    without = [row for row in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+`", row)]
    assert not without


def test_what_is_named_is_named_as_pytest_takes_it() -> None:
    assert TEXT.count("::test_") == len(NAMED)
