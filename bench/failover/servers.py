"""Primaries with a replica that takes over: promoted by hand, or by Sentinels. The third form is in cluster.py.

Each is started for one failover and stopped after it, so that no failover meets what an earlier one left behind. All of
it is on loopback, where replication takes microseconds: between two zones more acknowledged values are under way.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol

from bench.failover.asking import ask, has_replicas, kill, wait_until
from bench.raw import RawSocket
from demo.servers import Server

NAME = "shop"
DOWN_AFTER_MS = 1_000
_SENTINELS = 3
FAILOVER_S = 60.0


class Failover(Protocol):
    """Servers of which one is the primary that a failover replaces."""

    what: str

    @property
    def url(self) -> str:
        """The URL for both programs, before the failover and after it."""

    def start(self, stack: ExitStack) -> None:
        """Start all servers, which the stack stops, and wait until the primary has its replica.

        Raises:
            ServerStartError: A server did not come up, or they did not find each other.
        """

    def signals(self) -> int:
        """Return how many signals the primary has acknowledged."""

    def fail_over(self, *, is_cut_off: bool) -> float:
        """Kill the primary, wait for the promotion, start the killed one again as a replica; return when it was killed.

        Args:
            is_cut_off: Whether its replica is cut off shortly before, and lacks what is acknowledged from then on.

        Raises:
            ServerStartError: Nobody was promoted in time.
        """


class Promoted:
    """A primary and its replica. One second after the primary's death we promote the replica and give it the address.

    The replica takes over the primary's port (CONFIG SET port), as a host takes over a virtual address. A proxy was
    rejected: it would be between the programs and the server also when nothing is wrong.
    """

    what = "primary and replica, promoted after 1.0 s"

    def __init__(self, binary: Path) -> None:
        """Describe it."""
        self._binary = binary
        self._primary, self._replica = Server(binary), Server(binary)

    @property
    def url(self) -> str:
        """The address of the primary, whoever that is."""
        return self._primary.url

    def start(self, stack: ExitStack) -> None:
        """Start both."""
        self._stack = stack
        for server in (self._primary, self._replica):
            stack.enter_context(server)
        ask(self._replica, "REPLICAOF", "127.0.0.1", self._primary.port)
        wait_until(lambda: has_replicas(self._primary, 1), "a replica")

    def signals(self) -> int:
        """Return how many signals there are."""
        return int(ask(self._primary, "XLEN", "signals"))

    def fail_over(self, *, is_cut_off: bool) -> float:
        """Kill, promote, and start another replica in the place of the killed one."""
        killed_s = kill(self._primary, self._replica, is_cut_off=is_cut_off)
        time.sleep(DOWN_AFTER_MS / 1_000)
        promoted = self._replica
        with closing(RawSocket(promoted.port)) as raw:
            raw.ask(("REPLICAOF", "NO", "ONE"), ("CONFIG", "SET", "port", self._primary.port))
        again = Server(self._binary, ("--replicaof", f"127.0.0.1 {self._primary.port}"))
        self._stack.enter_context(again)
        return killed_s


class SentinelGroup:
    """A primary, its replica and three Sentinels."""

    what = f"three Sentinels, down-after {DOWN_AFTER_MS / 1_000:.1f} s"

    def __init__(self, binary: Path) -> None:
        """Describe it."""
        self._servers = [Server(binary), Server(binary)]
        self._sentinels = [Server(binary, ("--sentinel",)) for _ in range(_SENTINELS)]

    @property
    def url(self) -> str:
        """All Sentinels."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{sentinel.port}' for sentinel in self._sentinels)}/{NAME}"

    def start(self, stack: ExitStack) -> None:
        """Start everything, and wait until a failover would succeed."""
        primary, replica = self._servers
        for server in (*self._servers, *self._sentinels):
            stack.enter_context(server)
        ask(replica, "REPLICAOF", "127.0.0.1", primary.port)
        wait_until(lambda: has_replicas(primary, 1), "a replica")
        for sentinel in self._sentinels:
            ask(sentinel, "SENTINEL", "MONITOR", NAME, "127.0.0.1", primary.port, 2)
            ask(sentinel, "SENTINEL", "SET", NAME, "down-after-milliseconds", DOWN_AFTER_MS)
            ask(sentinel, "SENTINEL", "SET", NAME, "failover-timeout", 3_000)
        wait_until(lambda: all(map(self._knows_all, self._sentinels)), "a replica and the other Sentinels")

    def signals(self) -> int:
        """Return how many signals there are."""
        return int(ask(self._servers[0], "XLEN", "signals"))

    def fail_over(self, *, is_cut_off: bool) -> float:
        """Kill the primary; the Sentinels do the rest."""
        primary, replica = self._servers
        killed_s = kill(primary, replica, is_cut_off=is_cut_off)
        wait_until(lambda: self._agree_on(replica.port), "another primary", FAILOVER_S)
        primary.start()
        ask(primary, "REPLICAOF", "127.0.0.1", replica.port)
        return killed_s

    def _agree_on(self, port: int) -> bool:
        asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return all(int(ask(sentinel, *asked)[1]) == port for sentinel in self._sentinels)

    def _knows_all(self, sentinel: Server) -> bool:
        reply = ask(sentinel, "SENTINEL", "MASTER", NAME)
        view = dict(zip(reply[::2], reply[1::2], strict=True))
        replicas = ask(sentinel, "SENTINEL", "REPLICAS", NAME)
        are_well = all(dict(zip(found[::2], found[1::2], strict=True))[b"flags"] == b"slave" for found in replicas)
        return bool(replicas) and are_well and view[b"num-other-sentinels"] == b"%d" % (_SENTINELS - 1)
