"""`redis-cli --pipe`, what people load data with: its input is made before, its wall time is the baseline."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.raw import BATCH_VALUES, Request, encode


def has_redis_cli() -> bool:
    """Return whether redis-cli is in PATH."""
    return shutil.which("redis-cli") is not None


def write_input(path: Path, requests: Iterable[Request]) -> Path:
    """Write commands to a file as redis-cli sends them on, and return it."""
    with path.open("wb") as file:
        for request in requests:
            file.write(request.commands)
    return path


def line_requests(key: str, lines: Sequence[bytes]) -> list[Request]:
    """Return the LPUSHes of lines, 1,000 a command."""
    starts = range(0, len(lines), BATCH_VALUES)
    return [Request(encode("LPUSH", key, *lines[start : start + BATCH_VALUES]), 0) for start in starts]


def pipe_s(port: int, path: Path) -> float:
    """Return the seconds `redis-cli --pipe` takes for a file.

    Raises:
        RuntimeError: The server refused a command.
    """
    with path.open("rb") as commands:
        started = time.perf_counter()
        ended = subprocess.run(
            ["redis-cli", "-p", str(port), "--pipe"],  # noqa: S607 - the one in PATH is the one people use
            stdin=commands,
            capture_output=True,
            check=False,
            text=True,
        )
        taken_s = time.perf_counter() - started
    if ended.returncode != 0 or "errors: 0," not in ended.stdout:
        raise RuntimeError(f"redis-cli --pipe: expected no error, got {ended.stdout}{ended.stderr}")
    return taken_s
