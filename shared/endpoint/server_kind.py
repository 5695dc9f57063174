"""What kind of server answers: detected, not configured.

HELLO is asked rather than INFO or ROLE: it says version, mode and role in one reply, and no access rule can refuse it.
Its mode can be wrong: servers and proxies in front of shards have called themselves standalone (dragonfly #2400), so
CLUSTER SLOTS is asked as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.endpoint.node_client import NodeClient
from shared.errors import HandoverError, NotAllowedError, WrongEndpointError

Slots = list[object]
"""The reply to CLUSTER SLOTS: for each range its first and last slot and its nodes, the primary first."""


@dataclass(frozen=True)
class ServerKind:
    """What HELLO says of a server."""

    server: str  # `redis` or `valkey`
    version: str
    mode: str  # `standalone`, `cluster` or `sentinel`
    role: str  # `master` or `replica`

    @property
    def is_cluster(self) -> bool:
        """Whether the server is a node of a cluster."""
        return self.mode == "cluster"

    @property
    def is_replica(self) -> bool:
        """Whether it is a replica outside a cluster; any node of a cluster leads to the primaries."""
        return self.role in ("replica", "slave") and not self.is_cluster


def ask_kind(client: NodeClient) -> tuple[ServerKind, Slots]:
    """Return what the server is, and the slots of its cluster; none where it is not part of one.

    Redis: HELLO, O(1), and CLUSTER SLOTS, O(nodes), in one round trip; either may be refused.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command("HELLO")
    pipeline.execute_command("CLUSTER SLOTS")
    hello, slots = pipeline.execute(raise_on_error=False)
    if isinstance(hello, HandoverError) and not isinstance(hello, WrongEndpointError):
        raise hello
    fields = hello_fields(hello)
    mode = fields.get("mode", "standalone")
    is_refusal = isinstance(slots, WrongEndpointError) or (isinstance(slots, NotAllowedError) and mode != "cluster")
    if isinstance(slots, HandoverError) and not is_refusal:
        raise slots
    found = slots if isinstance(slots, list) else []
    if found:
        mode = "cluster"
    elif mode == "cluster" and is_refusal:  # a proxy in front of a cluster: one endpoint for all slots
        mode = "standalone"
    return ServerKind(fields.get("server", ""), fields.get("version", ""), mode, fields.get("role", "")), found


def hello_fields(reply: object) -> dict[str, str]:
    """Return the fields of HELLO's reply as text; none where a proxy answers with something of its own."""
    if not isinstance(reply, list):
        return {}
    texts = [part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else str(part) for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=False))
