"""Many inherited descriptors, and hardly any left: a program works, or says what it lacks."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from demo.servers import Server
from tests.stage.programs import Name, environment_of

INHERITED = 1_100
COMMANDS: list[tuple[Name, tuple[str, ...], int]] = [
    ("server-a", ("run", "--writers", "1"), 0),
    ("server-a", ("run", "--writers", "2", "--segment-values", "5000"), 0),
    ("server-b", ("run", "--once", "--wait-s", "0.1"), 75),
    ("server-a", ("check",), 0),
    ("server-a", ("purge", "--yes"), 0),
]


@pytest.fixture
def many() -> Iterator[None]:
    """Open so many descriptors for the programs to inherit that `select` can't take the next one's number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(INHERITED)]
    for number in opened:
        os.set_inheritable(number, True)  # noqa: FBT003 - os takes it by position alone
    yield
    for number in opened:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _ended(name: Name, arguments: tuple[str, ...], *, server: Server, namespace: str, most: int = 0) -> tuple[int, str]:
    limit = ["prlimit", f"--nofile={most}", "--"] if most else []
    ended = subprocess.run(
        [*limit, sys.executable, "-m", name.replace("-", "_"), *arguments],
        env=environment_of(name, server=server, namespace=namespace, env=None),
        capture_output=True,
        close_fds=False,
        timeout=60,
        check=False,
        text=True,
    )
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(("name", "arguments", "code"), COMMANDS)
def test_many_inherited_descriptors_do_no_harm(
    *, many: None, valkey9: Server, namespace: str, name: Name, arguments: tuple[str, ...], code: int
) -> None:
    ended, errors = _ended(name, arguments, server=valkey9, namespace=namespace)
    assert ended == code, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(("name", "arguments", "code"), COMMANDS)
@pytest.mark.parametrize("most", [5, 6, 7])
def test_hardly_any_descriptors_are_said(
    *, valkey9: Server, namespace: str, name: Name, arguments: tuple[str, ...], code: int, most: int
) -> None:
    """With four Python itself does not start."""
    ended, errors = _ended(name, arguments, server=valkey9, namespace=namespace, most=most)
    assert ended in (code, 75), errors
    assert "Traceback" not in errors
    assert "Exception" not in errors
