"""What kind of server answers: found out by asking, never by an option.

HELLO is asked rather than INFO or ROLE: it says version, mode and role in one reply, and no access rule can refuse it,
so that the least rights of deploy/acl suffice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.endpoint.wire import Wire


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
        """Whether the server follows another one, and takes no writes."""
        return self.role in ("replica", "slave")


def ask_kind(wire: Wire) -> ServerKind:
    """Return what the server at the other end is.

    Redis:
        HELLO; O(1).
    """
    fields = _pairs(wire.call("HELLO"))
    return ServerKind(*(fields.get(name, "") for name in ("server", "version", "mode", "role")))


def _pairs(reply: list[Any]) -> dict[str, str]:
    texts = [part.decode() if isinstance(part, bytes) else str(part) for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))
