"""The programs of a soak run, as processes: each must end by itself, in a way that is documented."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from demo.parent import ending_with_us
from tests.stage.programs import Name, environment_of

TIMEOUT_S = 120.0
NAMED_CODES = {0, 2, 65, 69, 75, 77, 78}  # without 70, a fault of ours
Ended = subprocess.CompletedProcess[bytes]


class WrongResultError(Exception):
    """A run was called verified whose list is another one, or could not be brought to its end."""


def start(name: Name, *arguments: str, url: str) -> subprocess.Popen[bytes]:
    """Start a program."""
    return subprocess.Popen(
        [sys.executable, "-m", name.replace("-", "_"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of(name, server=url, namespace="", env={}),
        start_new_session=True,
        preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call
    )


def end_of(process: subprocess.Popen[bytes], name: Name, *, is_killed: bool = False) -> Ended:
    """Wait for a program's end.

    Args:
        process: The program.
        name: Its name.
        is_killed: Whether it may end by SIGKILL.

    Raises:
        WrongResultError: It did not end, or with a code that is not documented or stands for a fault of ours.
    """
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise WrongResultError(f"{name} did not end in {TIMEOUT_S:g} s") from None
    if not (process.returncode in NAMED_CODES or (is_killed and process.returncode == -signal.SIGKILL)):
        raise WrongResultError(f"{name} ended with {process.returncode}: {stderr[-3_000:]!r}")
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def id_of(ended: Ended) -> str:
    """Return the run id that server-a logged at its start; empty if it has not."""
    for line in ended.stderr.splitlines():
        if b'"run started"' in line:
            return str(json.loads(line)["run_id"])
    return ""
