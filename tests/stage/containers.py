"""Images built once for all tests here, and projects that are removed in every case."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.stage import owned
from tests.stage.engine import PROGRAMS, docker
from tests.stage.project import Project

BUILD_S = 600.0


class NewProject(Protocol):
    """Make a compose project, removed after the test."""

    def __call__(
        self, *, overlay: str = "", override: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Project:
        """Name it; see `Project`."""


@pytest.fixture(scope="session")
def engine(session_directory: object) -> Iterator[None]:
    """The container engine, for tests with the marker `docker`.

    What killed sessions have left there is removed first; this one must leave nothing.
    """
    owned.remove(owned.abandoned())
    yield
    left = owned.ours()
    stuck = owned.remove(left)
    assert left == stuck, f"left in the engine by the tests: {left}"


@pytest.fixture(scope="session")
def images(engine: None) -> Iterator[dict[str, str]]:
    """Name of the image of each program, and of each with the extra azure: `server-a`, `server-a:azure`."""
    repository = owned.new_name()
    names = {
        f"{program}:{extra}" if extra else program: f"{repository}:{program}{extra}"
        for program in PROGRAMS
        for extra in ("", "azure")
    }
    try:
        for kind, name in names.items():
            program, _, extra = kind.partition(":")
            build(name, program, extra=extra)
        yield names
    finally:
        docker("image", "rm", *names.values(), ok=False)


@pytest.fixture(scope="session")
def page_image(engine: None) -> Iterator[str]:
    """Name of the image that serves the page: server-b's, with the extra of that name."""
    name = f"{owned.new_name()}:page"
    try:
        build(name, "server-b", extra="page")
        yield name
    finally:
        docker("image", "rm", name, ok=False)


def build(name: str, program: str, *, extra: str = "", context: str = ".") -> None:
    """Build a program's image under a name."""
    arguments = ["--build-arg", f"EXTRAS={extra}"] if extra else []
    arguments += ["--build-arg", "PIP_INDEX_URL"] if "PIP_INDEX_URL" in os.environ else []
    dockerfile = f"{program.replace('-', '_')}/Dockerfile"
    docker("build", "-q", "-t", name, "-f", f"{context}/{dockerfile}", *arguments, context, timeout_s=BUILD_S)


@contextmanager
def _projects(images: Mapping[str, str]) -> Iterator[NewProject]:
    with ExitStack() as stack:

        def make(*, overlay: str = "", override: Path | None = None, env: Mapping[str, str] | None = None) -> Project:
            project = Project(images, overlay=overlay, override=override, env=env)
            stack.callback(project.down)
            return project

        yield make


@pytest.fixture
def new_project(images: dict[str, str]) -> Iterator[NewProject]:
    """Make compose projects; all of each is removed after the test."""
    with _projects(images) as make:
        yield make


@pytest.fixture(scope="module")
def new_module_project(images: dict[str, str]) -> Iterator[NewProject]:
    """Make compose projects that all tests of a module look at; all of each is removed after the last one."""
    with _projects(images) as make:
        yield make
