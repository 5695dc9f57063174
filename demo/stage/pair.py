"""The primary and its replica, and how one takes over from the other."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.servers import Server

HOST = "127.0.0.1"


class Pair:
    """Two servers, one of them the primary.

    Attributes:
        primary: The one that is written to.
        replica: The other one.
        client: A client of the primary, through its socket and no link.
    """

    def __init__(self, binary: Path, stack: ExitStack) -> None:
        """Start both; they are stopped with the stack."""
        self.primary, self.replica = (stack.enter_context(Server(binary)) for _ in range(2))
        self.client = _client(self.primary)
        stack.callback(self._close)
        self._follow()

    @property
    def is_running(self) -> bool:
        """Whether both are there."""
        return self.primary.is_running and self.replica.is_running

    @property
    def is_in_step(self) -> bool:
        """Whether the replica has loaded what the primary had and gets what it writes. Redis: INFO of the replica."""
        with _client(self.replica) as client:
            found: dict[str, object] = client.info("replication")
            return found.get("master_link_status") == "up"

    def promote(self, pause: Callable[[], None]) -> None:
        """Kill the primary, pause as long as noticing takes, let the replica take over, and the other one follow it."""
        self.client.close()
        self.primary.end(signal.SIGKILL)
        pause()
        self.primary, self.replica = self.replica, self.primary
        self.client = _client(self.primary)
        self.client.replicaof("NO", "ONE")
        self.replica.start()
        self._follow()

    def _close(self) -> None:
        self.client.close()

    def _follow(self) -> None:
        with _client(self.replica) as client:
            client.replicaof(HOST, str(self.primary.port))


def _client(server: Server) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket_path), retry=Retry(NoBackoff(), 0), socket_timeout=5)
