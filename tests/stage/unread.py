"""The two programs with a stdout that nobody reads any more, as in `| head -1` once `head` has ended."""

from __future__ import annotations

import os
import subprocess
import sys

from demo.parent import ending_with_us
from demo.servers import Server
from tests.stage.programs import Finished, Name, environment_of


def run_unread(
    name: Name, *arguments: str, server: Server | str, namespace: str = "", timeout_s: float = 60.0
) -> Finished:
    """Run a program to its end, with a pipe for its stdout whose reader is gone before it starts.

    Raises subprocess.TimeoutExpired if it had to be killed.
    """
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", name.replace("-", "_"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            env=environment_of(name, server=server, namespace=namespace, env=None),
            timeout=timeout_s,
            check=False,
            start_new_session=True,
            preexec_fn=ending_with_us(),
        )
    finally:
        os.close(writer)
    code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
    return Finished(exit_code=code, stdout_bytes=b"", stderr_bytes=ended.stderr)
