"""Two ways to hand a list over, as processes: our programs, and the plain client of tests/stage/plain_redis_py."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import redis

from demo.parent import ending_with_us
from shared.keys import Keyspace
from tests.stage import plain_redis_py
from tests.stage.hand_over_in_process import stored_values
from tests.stage.programs import environment_of, run_program

TIMEOUT_S = 60.0


class Contender(Protocol):
    """Hands the lines of a file over, from a loader to a reader, at a port of this host.

    Attributes:
        middle: Which LPUSH (or LPUSHX) is one in the middle of 2,500 lines.
    """

    middle: int

    def start_load(self, port: int, file: Path) -> subprocess.Popen[bytes]:
        """Start to write the lines of a file."""

    def replace(self, port: int, file: Path) -> None:
        """Write the lines of a file while a reader waits, which does that for five seconds at most."""

    def read(self, port: int) -> list[str] | None:
        """Return the list that the reader takes for complete, in the order of insertion; None when it takes none."""


def load(contender: Contender, port: int, file: Path) -> int:
    """Write the lines of a file, and return the loader's exit code."""
    with contender.start_load(port, file) as process:
        return process.wait(TIMEOUT_S)


@dataclass
class Plain:
    """The plain client."""

    keys: Keyspace
    middle: int = 1_500

    def start_load(self, port: int, file: Path) -> subprocess.Popen[bytes]:
        """Start the loader."""
        return _start([*self._command("load", port), str(file)])

    def replace(self, port: int, file: Path) -> None:
        """Load in this process, since a program takes seconds to start on a busy machine."""
        with redis.Redis(port=port) as client:
            plain_redis_py.load(client, self.keys.segment(1), file.read_text(encoding="utf-8").splitlines())

    def read(self, port: int) -> list[str] | None:
        """Return what the reader takes for complete: whatever is there, for it has nothing to hold it against."""
        read = subprocess.run(self._command("read", port), capture_output=True, timeout=TIMEOUT_S, check=True)
        values: list[str] = json.loads(read.stdout)
        return values

    def _command(self, action: str, port: int) -> list[str]:
        return [sys.executable, "-m", "tests.stage.plain_redis_py", action, str(port), self.keys.segment(1)]


@dataclass
class Ours:
    """The programs of this repository."""

    keys: Keyspace
    namespace: str
    client: redis.Redis
    middle: int = 2

    def start_load(self, port: int, file: Path) -> subprocess.Popen[bytes]:
        """Start server-a."""
        command = [sys.executable, "-m", "server_a", "run", "--values", str(file)]
        return _start(command, environment_of("server-a", server=_url(port), namespace=self.namespace, env={}))

    def replace(self, port: int, file: Path) -> None:
        """Load; a reader of ours that has lost patience reads again."""
        assert load(self, port, file) == 0

    def read(self, port: int) -> list[str] | None:
        """Return the list if server-b says that it is verified, as plain LRANGE finds it."""
        arguments = ("run", "--once", "--wait-s", "2", "--json")
        ended = run_program("server-b", *arguments, server=_url(port), namespace=self.namespace)
        if ended.exit_code != 0:
            return None
        assert ended.json()["verdict"] == "verified"
        return [value.decode() for value in stored_values(self.client, self.keys)]


def flaws(found: Sequence[str] | None, given: Sequence[str], others: Sequence[str] = ()) -> set[str]:
    """Return what is wrong with a list that a reader took for complete, besides its order; nothing if it took none.

    Args:
        found: The list; None for none.
        given: What the loader was given last.
        others: Values that no list of now has.
    """
    if found is None:
        return set()
    names: Mapping[str, object] = {
        "doubled": len(found) - len(set(found)),
        "foreign": set(found) & set(others),
        "short": set(given) - set(found),
        "strange": set(found) - set(given) - set(others),
        "disordered": not set(found) - set(given) and len(found) == len(given) and list(found) != list(given),
    }
    return {name for name, is_so in names.items() if is_so}


def _start(command: list[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call
    )


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"
