"""Wheel and sdist: the same bytes wherever they are built, nothing of this machine, and what they say they need.

The bytes also depend on Python's zlib: one of another kind, such as zlib-ng, packs the same files in other bytes.
"""

from __future__ import annotations

import os
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from shared import __version__
from tests.stage.packages import FILES, PACKAGES, ROOT, build, copy_sources, metadata_of

pytestmark = pytest.mark.kept_together("packages")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
Built = dict[str, Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from the clone itself, with all that lies about in it."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


def _sources() -> set[str]:
    """Return the files of the three packages, without what Python and the container engine keep there."""
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "Dockerfile"
    }


def _digests(built: Built) -> dict[str, str]:
    """Return digests: of two that differ in a megabyte, pytest would draw the difference for minutes."""
    return {kind: sha256(path.read_bytes()).hexdigest() for kind, path in built.items()}


def test_a_build_elsewhere_by_somebody_else_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    elsewhere = copy_sources(tmp_path / "a longer path" / "handover")
    for number, path in enumerate(sorted(elsewhere.rglob("*"))):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (10**9 + number, 10**9 + number))
    env = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1", "HOME": str(tmp_path), "USER": "somebody"}
    assert _digests(build(elsewhere, tmp_path / "dist", env=env)) == _digests(built)


def test_the_wheel_built_from_the_sdist_is_the_same(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(tmp_path)  # noqa: S202  # our own archive; filter= came with Python 3.11.4
    (unpacked,) = tmp_path.iterdir()
    assert _digests(build(unpacked, tmp_path / "dist")) == _digests(built)


def test_source_date_epoch_sets_the_time_of_every_file(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    first, second = (build(sources, tmp_path / name, env={"SOURCE_DATE_EPOCH": "1700000000"}) for name in ("1", "2"))
    assert _digests(first) == _digests(second)
    with tarfile.open(first["sdist"]) as archive:
        assert {member.mtime for member in archive} == {1_700_000_000}
    with zipfile.ZipFile(first["wheel"]) as archive:
        assert {member.date_time for member in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


STRAYS = (
    ".env", "password", "notes.txt", "secrets/key.pem", ".venv/pyvenv.cfg", "build/hand-over.html", "dump.rdb",
    "shared/.DS_Store", "shared/.keys.py.swp", "shared/__pycache__/keys.pyc", "server_a/cli.py~", "server_b/cli.orig",
)  # fmt: skip


def test_files_of_somebodys_own_get_into_neither(built: Built, tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    for name in STRAYS:
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        (sources / name).write_text("mine")
    assert _digests(build(sources, tmp_path / "dist")) == _digests(built)


def test_the_sdist_holds_what_is_built_from_and_nothing_of_this_machine(built: Built) -> None:
    with tarfile.open(built["sdist"]) as archive:
        members = archive.getmembers()
    prefix = f"redis_handover-{__version__}/"
    assert {member.name.removeprefix(prefix) for member in members} == _sources() | set(FILES) | {"PKG-INFO"}
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}


def test_the_wheel_holds_every_file_of_the_packages(built: Built) -> None:
    info = f"redis_handover-{__version__}.dist-info/"
    with zipfile.ZipFile(built["wheel"]) as archive:
        names = set(archive.namelist())
    assert {name for name in names if not name.startswith(info)} == _sources()
    assert {"shared/page/templates/report.html", "shared/page/templates/style.css"} <= names


def test_the_wheel_says_what_pyproject_says(built: Built) -> None:
    found = metadata_of(built["wheel"])
    said = found.metadata
    assert (said["Name"], said["Version"], PROJECT["version"]) == ("redis-handover", __version__, __version__)
    assert (said["Requires-Python"], said["License-Expression"]) == (PROJECT["requires-python"], PROJECT["license"])
    assert said["Description-Content-Type"] == "text/markdown"
    assert {script.name: script.value for script in found.entry_points} == PROJECT["scripts"]
    assert set(said.get_all("Provides-Extra") or ()) == set(EXTRAS) == {"azure", "demo", "dev", "otel", "page"}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_each_extra_asks_for_what_pyproject_names_and_no_more(built: Built, extra: str) -> None:
    asked = set()
    for line in metadata_of(built["wheel"]).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or (extra and requirement.marker.evaluate({"extra": extra})):
            requirement.marker = None
            asked.add(str(requirement))
    assert asked == _named([*PROJECT["dependencies"], *EXTRAS.get(extra, ())])


def _named(lines: list[str]) -> set[str]:
    """Return requirements in one spelling; those of an extra of ours stand in its place, as hatchling writes them."""
    named = set()
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            named |= set().union(*(_named(EXTRAS[extra]) for extra in requirement.extras))
        else:
            named.add(str(requirement))
    return named
