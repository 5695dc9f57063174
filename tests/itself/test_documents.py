"""The documents: each link leads somewhere, what CONTRIBUTING.md names exists, and tables that list all do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def _anchors(text: str) -> set[str]:
    """Return what GitHub calls each heading: lower case, blanks as hyphens, without other signs."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading_of_it(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text("utf-8")), link


def test_the_readme_leads_to_them() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"):
        assert f"]({name})" in readme


def test_each_path_that_contributing_names_exists() -> None:
    named = re.findall(r"`((?:\.ci|\.github|bench|demo|deploy|docs|server_[ab]|shared|tests)/[\w./*-]*)", CONTRIBUTING)
    assert len(named) > 15
    for path in named:
        assert list(ROOT.glob(path)), path


def test_each_target_that_contributing_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"(?:`|^ {4})make (\w+)", CONTRIBUTING, re.MULTILINE)):
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE), target


def test_each_marker_that_contributing_names_exists() -> None:
    pytest_ini = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    markers = {marker.partition(":")[0].partition("(")[0] for marker in pytest_ini["markers"]}
    table = CONTRIBUTING.partition("| marker |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert named
    assert named <= markers


def test_contributing_names_each_room() -> None:
    table = CONTRIBUTING.partition("| room |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w/]+)/`", table))
    programs = [path for name in ("server_a", "server_b", "shared") for path in (ROOT / name).glob("*/__init__.py")]
    tests = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.glob("**/*.py"))]
    same = {"server_a", "server_b", "shared", "demo", "bench"}  # "the same rooms again"
    assert {str(path.parent.relative_to(ROOT)) for path in programs} <= named
    assert {path.name for path in tests} - same <= named


def test_contributing_names_each_lock() -> None:
    sentence = CONTRIBUTING.partition("One lock belongs to each way of installing:")[2].partition(".\n")[0]
    assert set(re.findall(r"`([\w-]+)`", sentence)) == {path.stem for path in (ROOT / "requirements").glob("*.lock")}


@pytest.mark.parametrize("place", ["Redis", "Sentinel", "node of a cluster", "receiver of telemetry"])
@pytest.mark.parametrize(
    ("page", "heading"), [("two-hosts", "## 3. The firewall"), ("security", "## Who can reach what")]
)
def test_each_place_that_programs_talk_to_is_in_both_tables(page: str, heading: str, place: str) -> None:
    section = (ROOT / "docs" / f"{page}.md").read_text("utf-8").partition(heading)[2].partition("\n#")[0]
    to = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ")]
    assert any(place in each for each in to)


def test_the_page_on_security_says_what_each_user_may_do() -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    table = page.partition("## What each user may do")[2].partition("\n\n`purge`")[0]
    named = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert sorted(named) == sorted(path.stem for path in (ROOT / "deploy" / "acl").glob("*.acl"))
