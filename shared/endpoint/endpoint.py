"""What the programs need of an endpoint, whatever kind of server is behind it.

`SingleEndpoint` and `ClusterEndpoint` implement it; the programs know neither. What redis-py retries by itself is
settled for both in `arguments.py`: nothing. `Patience` repeats what may be repeated, where the code says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from shared.endpoint.topology import ServerKind
from shared.endpoint.translation import translated
from shared.endpoint.wire import Wire

if TYPE_CHECKING:
    import redis

SCAN_COUNT = 1_000


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
    def scan(self, pattern: str) -> Iterator[bytes]:
        """Yield the keys that match a glob pattern, of every primary; one may come twice.

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
