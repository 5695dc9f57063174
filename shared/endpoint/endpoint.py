"""What the programs need of an endpoint, whatever kind of server is behind it.

`SingleEndpoint` and `ClusterEndpoint` implement it; the programs know neither. What redis-py retries by itself is
settled for both in `arguments.py`: nothing. `Patience` repeats what may be repeated, where the code says so.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from shared.endpoint.topology import ServerKind
from shared.endpoint.translation import translated
from shared.endpoint.wire import Wire

if TYPE_CHECKING:
    import redis

SCAN_COUNT = 1_000


def scan_server(client: redis.Redis, pattern: str, *, limit_s: float | None) -> Iterator[bytes]:
    """Yield the keys of one server; see `Endpoint.scan`."""
    give_up_at = math.inf if limit_s is None else time.monotonic() + limit_s
    cursor: int | None = None
    while cursor != 0 and (cursor is None or time.monotonic() < give_up_at):
        cursor, keys = cast("tuple[int, list[bytes]]", client.scan(cursor or 0, match=pattern, count=SCAN_COUNT))
        yield from keys


class Endpoint(ABC):
    """One reachable endpoint.

    Attributes:
        name: Its URL without user and password.
        client: For single commands that may be repeated; sends each once, answers in bytes.
        kind: What the server said it is.
    """

    name: str
    client: redis.Redis
    kind: ServerKind

    @abstractmethod
    def wire(self, key: str) -> Wire:
        """Open a connection to the server that holds a key.

        Raises:
            ConnectionLostError: It does not answer.
        """

    @abstractmethod
    def node_of(self, key: str) -> str:
        """Return a name for the server that holds a key; equal names share a wire."""

    @abstractmethod
    def server_us(self, key: str) -> int:
        """Return the clock of the server that holds a key, in microseconds since 1970.

        Redis:
            TIME; O(1).
        """

    @abstractmethod
    def scan(self, pattern: str, *, limit_s: float | None = None) -> Iterator[bytes]:
        """Yield the keys that match a glob pattern, of every primary; one may come twice.

        Args:
            pattern: As for SCAN.
            limit_s: Seconds after which each server's scan ends, however far it is; None to come to its end.

        Redis:
            SCAN with COUNT 1000 until the cursor is 0; O(keys in the database).
        """

    @abstractmethod
    def refresh(self) -> None:
        """Forget idle connections and look again which server holds what; called after a fault.

        Raises:
            ConnectionLostError: Nobody answers yet.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every connection of the client."""

    def server_ms(self, key: str) -> int:
        """Return the clock of the server that holds a key, in milliseconds since 1970; see `server_us`."""
        return self.server_us(key) // 1_000

    def translated(self, key: str = "") -> AbstractContextManager[None]:
        """Raise redis-py's exceptions inside the block, which is about one key, as ours."""
        return translated(self.name, is_cluster=self.kind.is_cluster, key=key)
