"""Our wheel and sdist built from copies of the clone, and empty virtual environments with the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "server_a", "server_b")
FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore")
# uv without the network, this user's cache and settings.
_UV = (sys.executable, "-m", "uv", "--offline", "--no-cache", "--no-config", "--quiet")


def copy_sources(directory: Path) -> Path:
    """Copy what the packages are built from, as a fresh clone holds it; return the directory."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, directory)
    return directory


def build(sources: Path, target: Path, *, env: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Build with the locked hatchling, as `make build` does; return both files by their kind, `wheel` and `sdist`."""
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", target],
        cwd=sources,
        env={**environment, **(env or {})},
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


def metadata_of(wheel: Path) -> PathDistribution:
    """Return what a wheel says of itself."""
    root = zipfile.Path(wheel)
    (info,) = (entry for entry in root.iterdir() if entry.name.endswith(".dist-info"))
    return PathDistribution(info)


class BareEnvironment:
    """A virtual environment with our wheel, and of the present one exactly the packages that its metadata names.

    uv installs the wheel. Its dependencies are links to what is installed here, since nothing is fetched from anywhere:
    so what is tested is what our metadata asks for, not how an installer finds it in an index.
    """

    def __init__(self, directory: Path, wheel: Path, *, extras: tuple[str, ...] = ()) -> None:
        """Make it, with the dependencies of these extras too."""
        self._bin = directory / "bin"
        subprocess.run([*_UV, "venv", "--python", sys.executable, directory], check=True, timeout=60)
        self._uv("pip", "install", "--no-index", "--no-deps", str(wheel))
        (self.packages,) = directory.glob("lib/python3*/site-packages")
        for package in _needed(metadata_of(wheel), extras):
            _link(package, self.packages)

    def check(self) -> None:
        """Let uv look whether every installed package has what it asks for."""
        self._uv("pip", "check")

    def run(
        self, name: Name, *arguments: str, cwd: Path, server: Server | None = None, namespace: str = ""
    ) -> Finished:
        """Run a program as a user does who has activated the environment, from a directory that is not the clone."""
        environment = environment_of(name, server=server, namespace=namespace, env=None)
        return self._ended([str(self._bin / name), *arguments], cwd, environment)

    def python(self, code: str, *, cwd: Path) -> Finished:
        """Run Python code there."""
        return self._ended([str(self._bin / "python"), "-P", "-c", code], cwd, dict(os.environ))

    @staticmethod
    def _ended(command: list[str], cwd: Path, environment: dict[str, str]) -> Finished:
        environment = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
        ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=60, check=False)
        return Finished(ended.returncode, ended.stdout, ended.stderr)

    def _uv(self, *arguments: str) -> None:
        subprocess.run([*_UV, *arguments, "--python", self._bin / "python"], check=True, timeout=60)


def _needed(wheel: Distribution, extras: tuple[str, ...]) -> Iterator[Distribution]:
    """Yield each installed package that the wheel asks for, directly or not."""
    waiting = [(line, extras or ("",)) for line in wheel.requires or ()]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        line, wanted = waiting.pop()
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in wanted):
            continue
        key = (requirement.name, frozenset(requirement.extras))
        if key in seen or requirement.name == wheel.name:
            continue
        seen.add(key)
        package = distribution(requirement.name)
        yield package
        waiting += [(inner, tuple(requirement.extras) or ("",)) for inner in package.requires or ()]


def _link(package: Distribution, target: Path) -> None:
    """Link a package's modules, and nothing else of where it is installed; uv reads only metadata that is no link."""
    for top in {file.parts[0] for file in package.files or () if file.parts[0] not in {"..", "__pycache__"}}:
        source = Path(str(package.locate_file(top)))
        if top.endswith(".dist-info"):
            shutil.copytree(source, target / top, dirs_exist_ok=True)
        elif not (target / top).exists():
            (target / top).symlink_to(source)
