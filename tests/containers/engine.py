"""The container engine as the tests use it: `docker` and `docker compose`, under names of the tests' own.

Nothing of the machine's user gets in: neither a `.env`, nor variables that configure the programs or the images.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = ("server-a", "server-b")
USERS = {"server-a": "10001", "server-b": "10002"}

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "PIP_INDEX_URL", "REDIS_IMAGE")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for docker: what reaches the engine, and what a test adds."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith("DOCKER_") or name.lower().endswith("_proxy")
    }
    return {**kept, "DOCKER_BUILDKIT": "1", **(extra or {})}


def docker(
    *arguments: str, env: Mapping[str, str] | None = None, timeout_s: float = 60.0, ok: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run docker to its end.

    Args:
        arguments: What stands after `docker`.
        env: More variables.
        timeout_s: When to give up.
        ok: Whether it must end with 0.
    """
    ended = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=timeout_s,
        check=False,
    )
    assert ended.returncode == 0 or not ok, f"{arguments}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended


def inspect(*names: str) -> list[dict[str, Any]]:
    """Return what the engine knows of containers, images or networks."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", *names).stdout)
    return found


class Project:
    """A compose project with a name of its own, of compose.yaml and at most one overlay."""

    def __init__(self, images: Mapping[str, str], *, overlay: str = "", env: Mapping[str, str] | None = None) -> None:
        """Name it; nothing is started yet.

        Args:
            images: The image of each program.
            overlay: A file of deploy/compose without its ending; empty for none.
            env: Variables as of the shell.
        """
        self.name = f"handover-test-{secrets.token_hex(4)}"
        files = ["compose.yaml", *([f"deploy/compose/{overlay}.yaml"] if overlay else [])]
        self._files = [word for file in files for word in ("-f", file)]
        self._env = {"IMAGE_A": images["server-a"], "IMAGE_B": images["server-b"], **(env or {})}

    def compose(self, *arguments: str, timeout_s: float = 180.0, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` on it."""
        prefix = ("compose", "--env-file", os.devnull, "-p", self.name, *self._files)
        return docker(*prefix, *arguments, env=self._env, timeout_s=timeout_s, ok=ok)

    def up_to_exit_of(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Bring it up until a service ends, with that service's exit code."""
        return self.compose("up", "--no-build", "--exit-code-from", service, *arguments, ok=False)

    def container(self, service: str) -> str:
        """Return the id of a service's container, running or not."""
        return self.compose("ps", "--all", "--quiet", service).stdout.strip()

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of a service's container."""
        state: dict[str, Any] = inspect(self.container(service))[0]["State"]
        return state

    def python(self, service: str, code: str, *, ok: bool = True) -> str:
        """Run Python in a container of a program, a new one unless it runs; return what it prints."""
        running = self.compose("ps", "--quiet", "--status", "running", service).stdout.strip()
        how = ["exec", "-T", service, "python"] if running else ["run", "--rm", "--no-deps", "-T", *_PYTHON, service]
        return self.compose(*how, "-c", code, ok=ok).stdout.strip()

    def down(self) -> None:
        """Remove all of it, volumes too."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5", ok=False)


_PYTHON = ("--entrypoint", "python")
