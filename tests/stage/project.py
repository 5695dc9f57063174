"""One compose project of the tests: brought up, looked at from outside and from inside, removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stage.engine import docker, inspect
from tests.stage.owned import STUCK, new_name

_PYTHON = ("--entrypoint", "python")
_ALL_PASSWORDS = "for file in /volumes/*/*password; do cat $file; echo; done"


class Project:
    """A compose project with a name of its own, of compose.yaml and at most two more files."""

    def __init__(
        self,
        images: Mapping[str, str],
        *,
        overlay: str = "",
        override: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Name it; nothing is started yet.

        Args:
            images: The image of each program.
            overlay: A file of deploy/compose without its ending; empty for none.
            override: A file of the test's own, after these.
            env: Variables as of the shell; a test may change them later.
        """
        self.name = new_name()
        overlays = [f"deploy/compose/{overlay}.yaml"] if overlay else []
        files = ["compose.yaml", *overlays, *([str(override)] if override else [])]
        self._files = [word for file in files for word in ("-f", file)]
        self.env = {"IMAGE_A": images["server-a"], "IMAGE_B": images["server-b"], **(env or {})}

    def compose(self, *arguments: str, timeout_s: float = 180.0, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose` on it."""
        prefix = ("compose", "--env-file", os.devnull, "-p", self.name, *self._files)
        return docker(*prefix, *arguments, env=self.env, timeout_s=timeout_s, ok=ok)

    def up_to_exit_of(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Bring it up until a service ends, with that service's exit code."""
        return self.compose("up", "--no-build", "--exit-code-from", service, *arguments, ok=False)

    def log(self, service: str) -> str:
        """Return what a service's containers have written."""
        return self.compose("logs", service).stdout

    def container(self, service: str) -> str:
        """Return the id of a service's container, running or not."""
        return self.compose("ps", "--all", "--quiet", service).stdout.strip()

    def containers(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the engine knows of all containers, running or not, by service."""
        found: dict[str, list[dict[str, Any]]] = {}
        for container in inspect(*self.compose("ps", "--all", "--quiet").stdout.split()):
            found.setdefault(container["Config"]["Labels"]["com.docker.compose.service"], []).append(container)
        return found

    def state(self, service: str) -> dict[str, Any]:
        """Return the state of a service's container."""
        state: dict[str, Any] = inspect(self.container(service))[0]["State"]
        return state

    def python(self, service: str, code: str, *, ok: bool = True) -> str:
        """Run Python in a container of a program, a new one unless it runs; return what it prints."""
        running = self.compose("ps", "--quiet", "--status", "running", service).stdout.strip()
        how = ["exec", "-T", service, "python"] if running else ["run", "--rm", "--no-deps", "-T", *_PYTHON, service]
        return self.compose(*how, "-c", code, ok=ok).stdout.strip()

    def shell(self, service: str, script: str) -> str:
        """Run a script in a running container; return what it prints."""
        return self.compose("exec", "-T", service, "sh", "-ec", script).stdout

    def signal(self, service: str, name: str) -> None:
        """Send a signal to what a container runs, the child of the engine's init, as `kill -9` on its host does."""
        kill = f"[ $parent != 1 ] || kill -{name} ${{each#/proc/}}"
        script = f"for each in /proc/[0-9]*; do read -r _ _ _ parent _ <$each/stat; {kill}; done"
        self.compose("exec", "-T", service, "sh", "-c", script, ok=False)

    def in_volumes(self, script: str) -> str:
        """Run a script where the volumes of the generated passwords are, below /volumes; return what it prints."""
        return self.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "passwords", "-ec", script).stdout

    def passwords(self) -> list[str]:
        """Return every generated password."""
        return self.in_volumes(_ALL_PASSWORDS).split()

    def down(self) -> None:
        """Remove all of it, volumes too."""
        words = ("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")
        ended = self.compose(*words, ok=False)
        assert ended.returncode == 0 or STUCK in ended.stderr, ended
