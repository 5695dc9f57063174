"""A cluster of three primaries with a replica each, of which one dies."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from bench.failover.asking import ask, has_replicas, kill, wait_until
from bench.failover.servers import FAILOVER_S
from demo.servers import Server

NODE_TIMEOUT_MS = 1_500
_PRIMARIES = 3
_CLUSTER = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")


class ClusterOfSix:
    """Three primaries with a replica each; the one that holds `signals` dies."""

    what = f"six nodes, node timeout {NODE_TIMEOUT_MS / 1_000:.1f} s"

    def __init__(self, binary: Path) -> None:
        """Describe it."""
        directives = (*_CLUSTER, "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        self._nodes = [Server(binary, directives) for _ in range(2 * _PRIMARIES)]
        self._victim = key_slot(b"signals") * _PRIMARIES // REDIS_CLUSTER_HASH_SLOTS

    @property
    def url(self) -> str:
        """A node that lives on."""
        return self._nodes[(self._victim + 1) % _PRIMARIES].url

    def start(self, stack: ExitStack) -> None:
        """Start the nodes and make them one cluster."""
        for node in self._nodes:
            stack.enter_context(node)
        primaries, replicas = self._nodes[:_PRIMARIES], self._nodes[_PRIMARIES:]
        borders = [-(-REDIS_CLUSTER_HASH_SLOTS * number // _PRIMARIES) for number in range(_PRIMARIES + 1)]
        for number, (primary, (first, after)) in enumerate(zip(primaries, itertools.pairwise(borders), strict=True)):
            ask(primary, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            ask(primary, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self._nodes[1:]:
            ask(self._nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port)
        wait_until(lambda: all(map(self._is_whole, self._nodes)), "all nodes of the cluster")
        for primary, replica in zip(primaries, replicas, strict=True):
            ask(replica, "CLUSTER", "REPLICATE", ask(primary, "CLUSTER", "MYID"))
        wait_until(lambda: all(has_replicas(primary, 1) for primary in primaries), "a replica for each primary")

    def signals(self) -> int:
        """Return how many signals there are."""
        return int(ask(self._nodes[self._victim], "XLEN", "signals"))

    def fail_over(self, *, is_cut_off: bool) -> float:
        """Kill the primary of `signals`; the cluster does the rest."""
        killed, replica = self._nodes[self._victim], self._nodes[self._victim + _PRIMARIES]
        killed_s = kill(killed, replica, is_cut_off=is_cut_off)
        wait_until(lambda: ask(replica, "ROLE")[0] == b"master", "another primary", FAILOVER_S)
        killed.start()  # its replica of old is its primary now, as the others tell it
        return killed_s

    def _is_whole(self, node: Server) -> bool:
        info = ask(node, "CLUSTER", "INFO")
        nodes = ask(node, "CLUSTER", "NODES")
        return b"cluster_state:ok" in info and nodes.count(b"\n") == len(self._nodes) and b"handshake" not in nodes
