"""A cluster of primaries that speaks TLS alone; what its certificates name is for the test to say."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.raw import call
from tests.stage.waiting import wait_until

SLOTS = 16_384
_FORMING_S = 60.0


class TlsCluster:
    """Nodes that announce themselves as 127.0.0.1, as a managed service's announce addresses of their own.

    Attributes:
        nodes: Its primaries; it has no replicas.
    """

    def __init__(
        self, program: Path, authority: Authority, *names: str, primaries: int = 3, arguments: tuple[str, ...] = ()
    ) -> None:
        """Describe it; the block starts it.

        Args:
            program: A server built with TLS.
            authority: Issues the one certificate that all nodes show.
            names: What the certificate names.
            primaries: How many nodes there are; a single one has all slots.
            arguments: More directives.
        """
        directives = (
            *("--cluster-enabled", "yes", "--tls-cluster", "yes", "--tls-replication", "yes"),
            *("--cluster-config-file", "nodes.conf", "--cluster-announce-ip", "127.0.0.1"),
            *authority.directives(authority.issue("node", *names)),
        )
        self.nodes = [Server(program, (*directives, *arguments), tls=True) for _ in range(primaries)]

    def url(self, host: str) -> str:
        """Return the URL of the first node under a host name or address."""
        return f"rediss://{host}:{self.nodes[0].port}"

    def addresses(self, host: str) -> list[str]:
        """Return every node's address with another host than it announces."""
        return sorted(f"{host}:{node.port}" for node in self.nodes)

    def segments_of(self, node: Server) -> int:
        """Return how many lists a node holds."""
        return sum(call(node, "TYPE", key) == b"list" for key in call(node, "KEYS", "*biglist*"))

    def limit(self, *rules: str) -> None:
        """Change the rights of the default user on every node; nothing can be asked of them by `call` hereafter."""
        for node in self.nodes:
            call(node, "ACL", "SETUSER", "default", *rules)

    def __enter__(self) -> Self:
        """Start the nodes and make them one cluster, a third of the slots each."""
        try:
            for node in self.nodes:
                node.start()
            borders = [SLOTS * number // len(self.nodes) for number in range(len(self.nodes) + 1)]
            for epoch, (node, (first, after)) in enumerate(zip(self.nodes, itertools.pairwise(borders), strict=True)):
                call(node, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
                call(node, "CLUSTER", "SET-CONFIG-EPOCH", epoch + 1)
            for one, other in itertools.combinations(self.nodes, 2):
                call(one, "CLUSTER", "MEET", "127.0.0.1", other.port)
            wait_until(self._is_whole, description="every node sees all slots served", timeout_s=_FORMING_S)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the nodes."""
        for node in self.nodes:
            node.stop()

    def _is_whole(self) -> bool:
        whole = (b"cluster_state:ok", len(self.nodes))
        return all(
            (call(node, "CLUSTER", "INFO").split(b"\r\n")[0], len(call(node, "CLUSTER", "SLOTS"))) == whole
            for node in self.nodes
        )
