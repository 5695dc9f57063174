"""Two primaries and two writers, against two raw sockets in two processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from bench.account import accounted
from bench.contest import Contest
from bench.launcher import process_cpu_s
from bench.links.facts import LinkFacts, WritersCpu
from bench.links.sizes import Cut
from bench.product import KEYS
from bench.raw import RawSocket
from demo.parent import ending_with_us
from demo.processes import program_environment
from demo.servers import Server, ServerStartError

_SEGMENTS = 8
_TARGET = 1.15
_FORMING_S = 30.0
_DIRECTIVES = ("--cluster-enabled", "yes")


class TwoPrimaries:
    """A cluster of two primaries without replicas, each of which holds half of the segments.

    The border between their slots lies where it halves the segments, so that what is measured is two writers and not
    how the names of the lists happen to fall.

    Attributes:
        halves: The numbers of the segments on each.
    """

    def __init__(self, binary: Path, *, count: int) -> None:
        """Describe it; the block it opens starts it.

        Args:
            binary: The server.
            count: Numbers to write.
        """
        self._cut = Cut(count, _SEGMENTS)
        self._nodes = [Server(binary, _DIRECTIVES), Server(binary, _DIRECTIVES)]
        by_slot = sorted((key_slot(KEYS.segment(r.number).encode()), r.number) for r in self._cut.ranges())
        half = len(by_slot) // 2
        self._border = by_slot[half][0]
        self.halves = [[n for slot, n in by_slot if slot < self._border], [n for slot, n in by_slot[half:]]]
        self._stack = ExitStack()

    def contests(self, facts: LinkFacts) -> list[Contest]:
        """Return the contest; each of its rounds notes who used the processors."""
        job = f"write {self._cut.count:,} values, {_SEGMENTS} segments"
        run = partial(self._run, facts)
        return [Contest(job, "server-a run --writers 2", "two raw sockets", run, self.raw_writers_s, _TARGET)]

    def _run(self, facts: LinkFacts) -> float:
        self._empty()
        before = [process_cpu_s(node.pid) for node in self._nodes]
        options = ("--count", str(self._cut.count), "--segment-values", str(self._cut.segment_values), "--writers", "2")
        account = accounted("server-a", "run", "--url", self._nodes[0].url, *options, "--json")
        used = [process_cpu_s(node.pid) - was for node, was in zip(self._nodes, before, strict=True)]
        facts.writers.append(WritersCpu.of(account, used))
        return float(account.report["write_s"])

    def raw_writers_s(self) -> float:
        """Write each half by a process of its own, and return the seconds until both are done."""
        self._empty()
        with ExitStack() as stack:
            writers = [
                stack.enter_context(self._raw_writer(node, numbers))
                for node, numbers in zip(self._nodes, self.halves, strict=True)
            ]
            for writer in writers:
                _expect(writer, "ready")
            started = time.perf_counter()
            for writer in writers:
                assert writer.stdin is not None
                writer.stdin.write("\n")
                writer.stdin.flush()
            for writer in writers:
                _expect(writer, "done")
            return time.perf_counter() - started

    def sizes(self) -> list[int]:
        """Return how many keys each primary has."""
        return [int(raw.call("DBSIZE")[1:]) for raw in self._raws]

    def _raw_writer(self, node: Server, numbers: list[int]) -> subprocess.Popen[str]:
        what = [str(number) for number in (node.port, self._cut.count, _SEGMENTS, *numbers)]
        return subprocess.Popen(
            [sys.executable, "-m", "bench.links.raw_writer", *what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=program_environment(os.environ),
            start_new_session=True,
            preexec_fn=ending_with_us(),  # noqa: PLW1509 - one system call, and threads don't start writers
        )

    def _empty(self) -> None:
        for raw in self._raws:
            raw.empty_server()

    def __enter__(self) -> Self:
        """Start both, give each its slots, and wait until both say the cluster is whole.

        Raises:
            ServerStartError: A node did not come up, or they did not become one cluster.
        """
        with self._stack as stack:
            for node in self._nodes:
                stack.enter_context(node)
            self._raws = [stack.enter_context(closing(RawSocket(node.port))) for node in self._nodes]
            slots = [(0, self._border - 1), (self._border, REDIS_CLUSTER_HASH_SLOTS - 1)]
            for number, (raw, (first, last)) in enumerate(zip(self._raws, slots, strict=True)):
                raw.call("CLUSTER", "ADDSLOTSRANGE", first, last)
                raw.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self._raws[0].call("CLUSTER", "MEET", "127.0.0.1", self._nodes[1].port)
            give_up_at = time.monotonic() + _FORMING_S
            while not all(_is_whole(raw) for raw in self._raws):
                if time.monotonic() > give_up_at:
                    raise ServerStartError(f"two nodes did not become a cluster within {_FORMING_S:.0f} s")
                time.sleep(0.01)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop both."""
        self._stack.close()


def _is_whole(raw: RawSocket) -> bool:
    """Return whether a node knows the other and all slots are served."""
    (info,) = raw.ask(("CLUSTER", "INFO"))
    return b"cluster_state:ok" in info and b"cluster_known_nodes:2" in info


def _expect(writer: subprocess.Popen[str], word: str) -> None:
    """Wait for a word of a raw writer.

    Raises:
        RuntimeError: It said something else, or ended.
    """
    assert writer.stdout is not None
    if (said := writer.stdout.readline().strip()) != word:
        raise RuntimeError(f"raw writer: expected {word}, got {said!r}")
