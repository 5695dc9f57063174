"""Each program works where the other's package is absent, as in its image: `shared` and one program, nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of, run_program

ROOT = Path(__file__).parents[3]
PACKAGES: dict[Name, str] = {"server-a": "server_a", "server-b": "server_b"}


class Image:
    """A directory with `shared` and one program, and a Python that finds nothing else of ours."""

    def __init__(self, name: Name, directory: Path) -> None:
        """Copy the two packages."""
        self._name = name
        self._directory = directory
        for package in ("shared", PACKAGES[name]):
            shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))

    def python(self, *arguments: str, server: Server, namespace: str) -> Finished:
        """Run Python there; without `site`, so that the .pth file of an editable install does not lead to the clone."""
        paths = [str(self._directory), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        environment = environment_of(
            self._name, server=server, namespace=namespace, env={"PYTHONPATH": ":".join(paths)}
        )
        ended = subprocess.run(
            [sys.executable, "-S", *arguments],
            cwd=self._directory,
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Finished(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(params=PACKAGES)
def name(request: pytest.FixtureRequest) -> Name:
    name: Name = request.param
    return name


@pytest.fixture
def image(name: Name, tmp_path: Path) -> Image:
    return Image(name, tmp_path)


def test_the_other_package_is_absent_there(image: Image, name: Name, valkey9: Server) -> None:
    other = next(package for program, package in PACKAGES.items() if program != name)
    for package in (other, "demo"):
        assert image.python("-c", f"import {package}", server=valkey9, namespace="").exit_code == 1
    assert image.python("-c", f"import {PACKAGES[name]}.cli", server=valkey9, namespace="").exit_code == 0


def test_a_run_works(image: Image, name: Name, valkey9: Server, namespace: str) -> None:
    options = ("--once", "--json", "--wait-s", "20")
    if name == "server-a":
        a = image.python("-m", "server_a", "run", "--json", server=valkey9, namespace=namespace)
        b = run_program("server-b", "run", *options, server=valkey9, namespace=namespace)
    else:
        a = run_program("server-a", "run", "--json", server=valkey9, namespace=namespace)
        b = image.python("-m", "server_b", "run", *options, server=valkey9, namespace=namespace)
    assert (a.exit_code, b.exit_code) == (0, 0), a.stderr + b.stderr
    assert a.json()["digest"] == b.json()["digest"]


COMMANDS: dict[Name, list[tuple[str, ...]]] = {
    "server-a": [("--help",), ("user", "list"), ("cart", "show", "1"), ("status",), ("purge", "--yes")],
    "server-b": [("--help",), ("read", "--limit", "1"), ("dead", "list"), ("status",)],
}


def test_every_other_command_works(image: Image, name: Name, valkey9: Server, namespace: str) -> None:
    run_program("server-a", "run", server=valkey9, namespace=namespace)
    for arguments in COMMANDS[name]:
        ended = image.python("-m", PACKAGES[name], *arguments, server=valkey9, namespace=namespace)
        assert ended.exit_code == (75 if arguments == ("status",) else 0), (arguments, ended.stderr)
        assert "Traceback" not in ended.stderr
        assert ended.stdout
