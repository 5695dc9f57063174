"""Images built once for all tests here, and projects that are removed in every case."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest

from tests.containers.engine import PROGRAMS, Project, docker

BUILD_S = 600.0


class NewProject(Protocol):
    """Make a compose project, removed after the test."""

    def __call__(self, *, overlay: str = "", env: Mapping[str, str] | None = None) -> Project:
        """Name it; see `Project`."""


def _why_no_engine() -> str:
    if not shutil.which("docker"):
        return "docker is not installed"
    if docker("info", ok=False).returncode:
        return "no container engine answers `docker info`"
    if docker("compose", "version", ok=False).returncode:
        return "`docker compose` is not installed"
    return ""


@pytest.fixture(scope="session")
def engine(session_directory: object) -> None:
    """A container engine; without one the test is skipped on a laptop and fails on CI."""
    if reason := _why_no_engine():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def images(engine: None) -> Iterator[dict[str, str]]:
    """Name of the image of each program, and of each with the extra azure: `server-a`, `server-a:azure`."""
    tag = f"test-{secrets.token_hex(4)}"
    names = {}
    for program in PROGRAMS:
        for extra in ("", "azure"):
            name = f"handover-{program}:{tag}{extra}"
            dockerfile = f"{program.replace('-', '_')}/Dockerfile"
            index = ["--build-arg", "PIP_INDEX_URL"] if "PIP_INDEX_URL" in os.environ else []
            extras = ["--build-arg", f"EXTRAS={extra}"] if extra else []
            docker("build", "-q", "-t", name, "-f", dockerfile, *extras, *index, ".", timeout_s=BUILD_S)
            names[f"{program}:{extra}" if extra else program] = name
    yield names
    docker("image", "rm", *names.values(), ok=False)


@pytest.fixture(scope="module")
def new_project(images: dict[str, str]) -> Iterator[NewProject]:
    """Make compose projects; all of each is removed when the module's tests have ended, or by the test itself."""
    projects = []

    def make(*, overlay: str = "", env: Mapping[str, str] | None = None) -> Project:
        project = Project(images, overlay=overlay, env=env)
        projects.append(project)
        return project

    yield make
    for project in projects:
        project.down()
