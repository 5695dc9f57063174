"""What the tests have in the engine: named after this host and this process, so that leftovers are found and removed.

Containers, networks and volumes of a compose project are named after the project. A name was chosen over a label, since
compose labels neither what `docker run` makes nor images; a test sees at a glance what `docker ps` shows of it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.stage.engine import docker
from tests.stage.leftovers import is_alive

# An engine may serve several hosts, and a process id says something on its own host alone.
_PREFIX = f"handover-test-{hashlib.sha256(platform.node().encode()).hexdigest()[:6]}"
_NAME = re.compile(rf"{_PREFIX}-(\d+)-[0-9a-f]{{8}}")
# In the order in which they can be removed.
_LISTS = {
    "container": ("container", "ls", "--all", "--format", "{{.Names}}"),
    "network": ("network", "ls", "--format", "{{.Name}}"),
    "volume": ("volume", "ls", "--format", "{{.Name}}"),
    "image": ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"),
}
# Said of a network whose containers have gone, once in some hundred, until the engine starts anew: moby issue 42119.
STUCK = "has active endpoints"
_REMOVALS = {
    "container": ("container", "rm", "--force", "--volumes"),
    "network": ("network", "rm"),
    "volume": ("volume", "rm", "--force"),
    "image": ("image", "rm", "--force"),
}


class Owned(NamedTuple):
    """Something in the engine that a session of the tests made; `pid` is that session's."""

    kind: str
    name: str
    pid: int


def new_name(*, pid: int | None = None) -> str:
    """Return a name that nothing has yet: for a project, a container, or an image before its tag.

    Args:
        pid: The session that is to own it; this one by default.
    """
    return f"{_PREFIX}-{os.getpid() if pid is None else pid}-{secrets.token_hex(4)}"


def everything() -> list[Owned]:
    """Return what sessions on this host have in the engine, in the order in which it can be removed."""
    return [
        Owned(kind, name, int(found[1]))
        for kind, words in _LISTS.items()
        for name in docker(*words).stdout.split()
        if (found := _NAME.match(name))
    ]


def ours() -> list[Owned]:
    """Return what this session has in the engine."""
    return [owned for owned in everything() if owned.pid == os.getpid()]


def abandoned() -> list[Owned]:
    """Return what sessions that are no more have left behind."""
    return [owned for owned in everything() if not is_alive(owned.pid)]


def remove(found: list[Owned]) -> list[Owned]:
    """Remove it, and return the networks that the engine itself can't let go any more."""
    stuck = []
    for owned in found:
        ended = docker(*_REMOVALS[owned.kind], owned.name, ok=False)
        if owned.kind == "network" and STUCK in ended.stderr:
            stuck.append(owned)
    return stuck


@contextmanager
def new_container() -> Iterator[str]:
    """Yield a name for a container, which is removed in every case."""
    name = new_name()
    try:
        yield name
    finally:
        docker(*_REMOVALS["container"], name, ok=False)


def run_image(
    image: str, *arguments: str, options: Sequence[str] = (), ok: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a container to its end and remove it.

    Args:
        image: Its image.
        arguments: What stands after the image.
        options: What stands before it.
        ok: Whether it must end with 0.
    """
    with new_container() as name:
        return docker("run", "--name", name, *options, image, *arguments, ok=ok)
