"""One of the programs run as a process, with its time, processor time and memory by the kernel's account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.parent import ending_with_us
from demo.processes import program_environment

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Account:
    """What one run of a program took.

    Attributes:
        wall_s: From its start to its end.
        cpu_s: Processor time, with that of all processes it started.
        max_rss_bytes: Memory of the largest of its processes.
        children_cpu_s: Processor time of each process it started, as last seen while it ran.
        report: The JSON object it printed.
    """

    wall_s: float
    cpu_s: float
    max_rss_bytes: int
    children_cpu_s: list[float]
    report: dict[str, Any]


def accounted(name: str, *arguments: str) -> Account:
    """Run `server-a` or `server-b` with `--json` among its arguments, and return what that took.

    Raises:
        RuntimeError: It ended with another exit code than 0.
    """
    module = name.replace("-", "_")
    environment = {**program_environment(os.environ), "PYTHONPATH": str(_ROOT)}
    with tempfile.TemporaryDirectory(prefix="handover-") as directory, tempfile.TemporaryFile() as errors:
        path = Path(directory) / "account.json"
        output = subprocess.run(
            [sys.executable, "-S", "-m", "bench.launcher", str(path), module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            check=True,
            start_new_session=True,
            preexec_fn=ending_with_us(),
        ).stdout
        account = json.loads(path.read_text("utf-8"))
        if (exit_code := account.pop("exit_code")) != 0:
            errors.seek(0)
            said = errors.read().decode(errors="backslashreplace")
            raise RuntimeError(f"{name} ended with exit code {exit_code}: {said}")
    return Account(**account, report=json.loads(output))
