"""What is left of a killed session is found by its name, and removed; what a living one has is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.stage import owned
from tests.stage.engine import docker

pytestmark = [pytest.mark.docker, pytest.mark.kept_together("containers"), pytest.mark.timeout(900)]

KINDS = {"container", "network", "volume", "image"}


@pytest.fixture
def names(images: dict[str, str]) -> Iterator[list[str]]:
    """Names for one thing of each kind; what is there under them in the end is removed."""
    made: list[str] = []
    yield made
    owned.remove([found for found in owned.everything() if found.name.partition(":")[0] in made])


def _make_one_of_each(name: str, image: str) -> None:
    docker("tag", image, f"{name}:tag")
    docker("network", "create", "--internal", name)
    docker("volume", "create", name)
    docker("create", "--name", name, "--network", name, "--volume", f"{name}:/state", f"{name}:tag")


@pytest.mark.parametrize("is_alive", [False, True], ids=["killed", "living"])
def test_what_a_session_has(images: dict[str, str], names: list[str], *, is_alive: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as session:
        if not is_alive:
            session.kill()
            session.wait()
        name = owned.new_name(pid=session.pid)
        names.append(name)
        _make_one_of_each(name, images["server-a"])
        theirs = [found for found in owned.abandoned() if found.pid == session.pid]
        assert {found.kind for found in theirs} == (set() if is_alive else KINDS)
        owned.remove(theirs)
        left = {found.kind for found in owned.everything() if found.pid == session.pid}
        assert left == (KINDS if is_alive else set())
