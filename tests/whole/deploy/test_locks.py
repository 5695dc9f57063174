"""requirements/*.lock: exact versions with hashes, no address of anybody's mirror, and every direct dependency."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = {path.stem: path for path in (ROOT / "requirements").glob("*.lock")}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
PINNED = re.compile(r"([a-z0-9-]+)==([\w.]+)(?: ; [^\\\n]+?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)")


def _pins(name: str) -> dict[str, str]:
    """Return the versions in a lock file, every line of which must be part of a pin with hashes or a comment."""
    text = LOCKS[name].read_text("utf-8")
    statements = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE)
    pins = re.split(r"\n(?! )", statements.strip())
    found = [PINNED.fullmatch(pin) for pin in pins]
    assert None not in found, [pin for pin, match in zip(pins, found, strict=True) if match is None]
    return {match[1]: match[2] for match in found if match is not None}


def _needed(*extras: str, groups: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what the project names itself, with what it says of the version."""
    lines = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        lines += EXTRAS[extra]
    for group in groups:
        lines += PROJECT["dependency-groups"][group]
    matches = [re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[\w,]+\])?(.*)", line) for line in lines]
    return {match[1]: match[2] for match in matches if match is not None and match[1] != "redis-handover"}


NEEDED = {
    "run": _needed(),
    "azure": _needed("azure"),
    "azure-page": _needed("azure", "page"),
    "otel": _needed("otel"),
    "page": _needed("page"),
    "demo": _needed("demo", "page", groups=("build",)),
    "dev": _needed("dev", "azure", "demo", "otel", "page", groups=("build",)),
}


def test_there_is_a_lock_for_each_way_of_installing() -> None:
    assert set(LOCKS) == set(NEEDED)


@pytest.mark.parametrize("name", NEEDED)
def test_every_line_is_a_version_with_its_hashes(name: str) -> None:
    assert len(_pins(name)) >= len(NEEDED[name])


@pytest.mark.parametrize("name", NEEDED)
def test_no_lock_names_an_address(name: str) -> None:
    text = LOCKS[name].read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=sha256:)", text, re.MULTILINE)  # --index-url, -f, -e
    assert " @ " not in text


@pytest.mark.parametrize("name", NEEDED)
def test_every_direct_dependency_is_there_in_a_version_that_will_do(name: str) -> None:
    pins = _pins(name)
    for package, wanted in NEEDED[name].items():
        pinned = _numbers(pins[package])
        for comparison, bound in re.findall(r"(==|>=|<)([^,]+)", wanted):
            if comparison == "==":
                assert pins[package] == bound, package
            else:
                assert (pinned >= _numbers(bound)) == (comparison == ">="), package


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


@pytest.mark.parametrize("name", ["azure", "page", "demo", "dev"])
def test_what_runs_is_the_same_version_in_every_lock(name: str) -> None:
    run, other = _pins("run"), _pins(name)
    assert {package: other[package] for package in run} == run
