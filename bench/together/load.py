"""One hand-over on a quiet server, and one while redis-benchmark keeps it busy."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.programs import reported
from bench.raw import RawSocket
from demo.parent import ending_with_us
from demo.servers import Server

KEYS = 100_000
VALUE_BYTES = 32
_POLL_S = 0.01
_ALONE_S = 1.0
_PATIENCE_S = 300.0  # for a machine that is busy otherwise


@dataclass(frozen=True)
class Beside:
    """A hand-over and the load beside it.

    Attributes:
        clients: Connections of redis-benchmark; 0 for none.
        load_alone_per_s: SETs and GETs a second before the hand-over.
        load_per_s: SETs and GETs a second that the server did from A's start to B's end.
        a: What server-a said with `--json`.
        b: What server-b said.
    """

    clients: int
    load_alone_per_s: float
    load_per_s: float
    a: dict[str, Any]
    b: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object's fields."""
        return asdict(self)


def measure_beside(binary: Path, *, clients: int, count: int, segment_values: int) -> Beside:
    """Start a server, and a load of so many clients, then hand over so many numbers.

    Raises:
        ServerStartError: The server did not come up.
        RuntimeError: A program ended with another exit code than 0, or the load did not begin.
    """
    with Server(binary) as server, closing(RawSocket(server.port)) as raw, _load(server, raw, clients):
        sizes = ("--count", str(count), "--segment-values", str(segment_values))
        before, started = _calls(raw), time.perf_counter()
        time.sleep(_ALONE_S)
        alone_per_s = (_calls(raw) - before) / (time.perf_counter() - started)
        before, started = _calls(raw), time.perf_counter()
        a = reported("server-a", "run", "--url", server.url, *sizes, "--json")
        b = reported("server-b", "run", "--once", "--wait-s", "60", "--url", server.url, "--json")
        per_s = (_calls(raw) - before) / (time.perf_counter() - started)
        return Beside(clients, alone_per_s, per_s, a, b)


def load_command(port: int, clients: int) -> list[str]:
    """Return the command of the load: SETs, then GETs, of random keys, without end and one at a time a client."""
    sizes = ["-r", str(KEYS), "-d", str(VALUE_BYTES), "-n", str(KEYS)]
    return ["redis-benchmark", "-p", str(port), "-c", str(clients), "-t", "set,get", *sizes, "-l", "-q"]


@contextmanager
def _load(server: Server, raw: RawSocket, clients: int) -> Iterator[None]:
    if not clients:
        yield
        return
    with subprocess.Popen(
        load_command(server.port, clients),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and threads don't start programs
    ) as load:
        try:
            _await_both_commands(raw, load)
            yield
        finally:
            load.kill()


def _await_both_commands(raw: RawSocket, load: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while _calls(raw) <= KEYS:  # all SETs of the first time over, and the first GETs
        if load.poll() is not None or time.monotonic() > until:
            raise RuntimeError("redis-benchmark did not load the server")
        time.sleep(_POLL_S)


def _calls(raw: RawSocket) -> int:
    """Return how many SETs and GETs the server has done."""
    (text,) = raw.ask(("INFO", "commandstats"))
    lines = [line for line in text.decode().splitlines() if line.startswith(("cmdstat_set:", "cmdstat_get:"))]
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in lines)
