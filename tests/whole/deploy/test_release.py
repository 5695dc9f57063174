"""The scripts of the release workflow: what forbids a release, what its notes are, and what an image is called."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared import __version__

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "deploy" / "release"
READ = ("pyproject.toml", "shared/__init__.py", "server_a/Dockerfile", "server_b/Dockerfile")
TAG = f"v{__version__}"
RELEASED = f"## {__version__} - 2026-11-27\n\n### Added\n\n- Something.\n\n"
CHANGELOG = f"# Changelog\n\nIts form.\n\n## Unreleased\n\n{RELEASED}## 0.0.9 - 2026-01-02\n\n### Added\n\n- Older.\n"


def _run(script: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(SCRIPTS / script), *arguments]  # as where nothing is installed
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What the check reads of this repository, with a changelog that may be released."""
    for name in READ:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_its_notes_are_the_section_of_the_version(repository: Path) -> None:
    ended = _run("check_release.py", TAG, cwd=repository)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "### Added\n\n- Something.\n", "")


@pytest.mark.parametrize("tag", ["v9.9.9", "9.9.9", __version__, f"{TAG}rc1", f"{TAG} ", "v1", "main", ""])
def test_a_tag_that_is_not_the_version_is_refused(repository: Path, tag: str) -> None:
    ended = _run("check_release.py", tag, cwd=repository)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert all(line.startswith("check_release: ") for line in ended.stderr.splitlines())


@pytest.mark.parametrize("name", READ)
def test_a_file_that_says_another_version_is_named(repository: Path, name: str) -> None:
    text = (repository / name).read_text()
    (repository / name).write_text(text.replace(__version__, "9.9.9", 1))
    ended = _run("check_release.py", TAG, cwd=repository)
    assert (ended.returncode, ended.stderr) == (1, f"check_release: {name}: expected {__version__}, got 9.9.9\n")


def test_a_file_that_says_no_version_is_named(repository: Path) -> None:
    (repository / READ[2]).write_text("FROM scratch\n")
    assert f"{READ[2]}: expected {__version__}, got no version" in _run("check_release.py", TAG, cwd=repository).stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (CHANGELOG.replace("## Unreleased\n\n", "## Unreleased\n\n- New.\n\n"), "expected nothing under Unreleased"),
        (CHANGELOG.replace(RELEASED, ""), f"expected '## {__version__} - YYYY-MM-DD' after Unreleased"),
        (CHANGELOG.replace(" - 2026-11-27", ""), f"expected '## {__version__} - YYYY-MM-DD' after Unreleased"),
        (CHANGELOG.replace("### Added\n\n- Something.\n\n", ""), f"expected changes under {__version__}"),
        (CHANGELOG.replace("## Unreleased\n\n", ""), f"expected the sections Unreleased and {__version__} first"),
        ("", f"expected the sections Unreleased and {__version__} first"),
    ],
)
def test_a_changelog_without_the_release_is_refused(repository: Path, changed: str, said: str) -> None:
    (repository / "CHANGELOG.md").write_text(changed)
    ended = _run("check_release.py", TAG, cwd=repository)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"check_release: CHANGELOG.md: {said}")


def test_it_reads_this_repository() -> None:
    """Whatever is under Unreleased now, the versions that the files say agree."""
    stderr = _run("check_release.py", TAG).stderr
    assert all(line.startswith("check_release: CHANGELOG.md: ") for line in stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "tag"),
    [
        (("Some-Org", "server-a", "run", "1.2.3"), "ghcr.io/some-org/handover-server-a:1.2.3"),
        (("o", "server-b", "azure", "1.2.3"), "ghcr.io/o/handover-server-b:1.2.3-azure"),
    ],
)
def test_an_image_has_its_exact_version_as_its_only_tag(arguments: tuple[str, ...], tag: str) -> None:
    ended = _run("image_tag.py", *arguments)
    assert (ended.returncode, ended.stdout) == (0, f"{tag}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("o", "server-a", "run", "latest"), ("o", "server-a", "run", "1.2"), ("o", "server-a", "run", "1.2.3\nx=y"),
        ("o", "server-c", "run", "1.2.3"), ("o", "server-a", "dev", "1.2.3"), ("o/p", "server-a", "run", "1.2.3"),
        ("", "server-a", "run", "1.2.3"), ("o",),
    ],
)  # fmt: skip
def test_no_other_tag_can_be_made(arguments: tuple[str, ...]) -> None:
    ended = _run("image_tag.py", *arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
