"""A link to a server: the delaying proxy started as a process, and what it is like, measured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from statistics import median
from types import TracebackType
from typing import Self

from bench.raw import RawSocket, Request, encode
from demo.parent import ending_with_us
from demo.processes import program_environment

_PINGS = 5
_LARGE_BYTES = 128 * 1024 * 1024
_LARGE_KEY = "large"


class Link:
    """A delaying proxy to one server on this host; killed at the end of its block, or with this process.

    Attributes:
        delay_ms: Added to each round trip.
        bytes_per_s: What each direction carries, for all connections together; 0 without a limit.
        port: Where clients connect.
    """

    def __init__(self, server_port: int, *, delay_ms: float, bytes_per_s: int = 0) -> None:
        """Start it and wait until it listens."""
        self.delay_ms = delay_ms
        self.bytes_per_s = bytes_per_s
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.links.proxy", str(server_port), str(delay_ms), str(bytes_per_s)],
            stdout=subprocess.PIPE,
            env=program_environment(os.environ),
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and threads don't start links
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The proxy's process id."""
        return self._process.pid

    def round_trip_ms(self) -> float:
        """Return the median of some PINGs through the link."""
        times = []
        with closing(RawSocket(self.port)) as raw:
            for _ in range(_PINGS):
                started = time.perf_counter()
                raw.call("PING")
                times.append((time.perf_counter() - started) * 1_000)
        return median(times)

    def megabytes_per_s(self) -> float:
        """Return how fast the link carries one large reply, without its delay; the server keeps nothing of it."""
        with closing(RawSocket(self.port)) as raw:
            raw.call("SETRANGE", _LARGE_KEY, _LARGE_BYTES - 1, "x")
            get = Request(encode("GET", _LARGE_KEY), _LARGE_BYTES)  # its last few bytes stay unread
            taken_s = raw.exchange([get], in_flight=1) - self.delay_ms / 1_000
        with closing(RawSocket(self.port)) as raw:
            raw.call("DEL", _LARGE_KEY)
        return _LARGE_BYTES / taken_s / 1e6

    def close(self) -> None:
        """Kill the proxy and wait for that; may be called twice."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        """Return the link."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
