"""What kind of server answers: found out by asking, never by an option.

HELLO is asked rather than INFO or ROLE: it says version, mode and role in one reply, and no access rule can refuse it,
so that the least rights of deploy/acl suffice. What it says is not the whole truth everywhere: servers and proxies in
front of shards have called themselves standalone (dragonfly #2400), so CLUSTER SLOTS is asked as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.endpoint.wire import Wire
from shared.errors import NotAllowedError, WrongEndpointError


@dataclass(frozen=True)
class ServerKind:
    """What HELLO says of a server.

    Attributes:
        server: `redis` or `valkey`.
        mode: `standalone`, `cluster` or `sentinel`.
        role: `master` or `replica`.
    """

    server: str
    version: str
    mode: str
    role: str

    @property
    def is_cluster(self) -> bool:
        """Whether the server is a node of a cluster."""
        return self.mode == "cluster"

    @property
    def is_replica(self) -> bool:
        """Whether it follows another server and takes no writes; a node of a cluster leads to primaries anyway."""
        return self.role in ("replica", "slave") and not self.is_cluster


def ask_kind(wire: Wire) -> ServerKind:
    """Return what the server at the other end is.

    Redis:
        HELLO, O(1), and CLUSTER SLOTS, O(nodes), unless a mode other than standalone was named; either may be refused.
    """
    try:
        fields = hello_fields(wire.call("HELLO"))
    except WrongEndpointError:  # a proxy that does not know it
        fields = {}
    mode = fields.get("mode", "standalone")
    if mode == "standalone" and _has_slots(wire):
        mode = "cluster"
    return ServerKind(fields.get("server", ""), fields.get("version", ""), mode, fields.get("role", ""))


def _has_slots(wire: Wire) -> bool:
    try:
        return bool(wire.call("CLUSTER", "SLOTS"))
    except (WrongEndpointError, NotAllowedError):
        return False


def hello_fields(reply: object) -> dict[str, str]:
    """Return the fields of HELLO's reply as text; none where a proxy answers with something of its own."""
    if not isinstance(reply, list):
        return {}
    texts = [part.decode("utf-8", "backslashreplace") if isinstance(part, bytes) else str(part) for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=False))
