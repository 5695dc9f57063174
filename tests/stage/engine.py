"""The container engine as the tests use it: `docker` and `docker compose`, under names of the tests' own.

Nothing of the machine's user gets in: neither a `.env`, nor variables that configure the programs or the images.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
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
    *arguments: str,
    env: Mapping[str, str] | None = None,
    directory: Path = ROOT,
    timeout_s: float = 60.0,
    ok: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run docker to its end; it and its plugins are killed when something else ends the wait.

    Args:
        arguments: What stands after `docker`.
        env: More variables.
        directory: Where to run it.
        timeout_s: When to give up.
        ok: Whether it must end with 0.
    """
    with subprocess.Popen(
        ["docker", *arguments],
        cwd=directory,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        process_group=0,  # Ctrl-C is ours to answer, and `docker compose` is a process of its own
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0 or not ok, f"{arguments}: {process.returncode}\n{stdout}\n{stderr}"
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def inspect(*names: str) -> list[dict[str, Any]]:
    """Return what the engine knows of containers, images or networks."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", *names).stdout)
    return found
