"""One run that waits in the stream, read by one server-b and by several at once."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.launcher import process_cpu_s
from bench.links.link import Link
from bench.programs import reported
from bench.raw import RawSocket
from demo.processes import Program, program_environment
from demo.servers import Server
from shared.keys import Keyspace

_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Readers:
    """What reading a run took.

    Attributes:
        wall_s: From the start of the first process to the end of the last.
        read_s: From the first reading to the last verdict, over all of them; their starts are left out.
        server_cpu_s: Processor time of the server meanwhile.
        shares: Segments that each read, the most first.
    """

    readers: int
    count: int
    segments: int
    wall_s: float
    read_s: float
    server_cpu_s: float
    shares: list[int]

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object's fields."""
        return asdict(self)


def measure_readers(binary: Path, *, readers: int, count: int, segment_values: int, delay_ms: float = 0.0) -> Readers:
    """Start a server, have server-a write and signal a run, then start so many server-b and wait for them all.

    Each of them is so far away as `delay_ms` says, over one link for all; server-a is near.

    The run waits before the first of them starts, so that only the reading is measured: while server-a still writes,
    the readers share the processors with it.

    Raises:
        ServerStartError: The server did not come up.
        RuntimeError: A program ended with another exit code than 0, as B does when the verdict is not `verified`.
    """
    with Server(binary) as server, closing(RawSocket(server.port)) as raw, ExitStack() as stack:
        sizes = ("--count", str(count), "--segment-values", str(segment_values))
        written = reported("server-a", "run", "--url", server.url, *sizes, "--json")
        url = stack.enter_context(Link(server.port, delay_ms=delay_ms)).url if delay_ms else server.url
        options = ("run", "--once", "--run", written["run_id"], "--wait-s", "60", "--json", "--url", url)
        before_s, started = process_cpu_s(server.pid), time.perf_counter()
        environment = program_environment(os.environ)
        programs = [
            stack.enter_context(closing(Program("server-b", *options, environment=environment))) for _ in range(readers)
        ]
        for program in programs:
            if program.wait(_PATIENCE_S) != 0:
                raise RuntimeError(f"server-b {program.ending}: {program.errors()}")
        wall_s = time.perf_counter() - started
        (verdicts,) = raw.ask(("HVALS", Keyspace().result(written["run_id"])))
        shares = Counter(json.loads(verdict)["consumer"] for verdict in verdicts)
        return Readers(
            readers,
            count,
            written["segments"],
            wall_s,
            max(json.loads(program.output())["read_s"] for program in programs),
            process_cpu_s(server.pid) - before_s,
            sorted((*shares.values(), *[0] * (readers - len(shares))), reverse=True),
        )
