"""A Sentinel group of our own: a primary, its replica, and three Sentinels that watch them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import redis

from demo.servers import Server
from tests.stage.raw import call, is_in_step
from tests.stage.waiting import wait_until

NAME = "shop"
DOWN_AFTER_MS = 1_000
_QUORUM = 2
_SETTLE_S = 60.0


class SentinelGroup:
    """Two servers, of which one is the primary, and three Sentinels.

    Attributes:
        servers: The two that hold data, whatever they are now.
        sentinels: The three that watch.
    """

    def __init__(self, program: Path) -> None:
        """Describe a group of servers of one kind; `start` makes it."""
        self._program = program
        self.servers: list[Server] = []
        self._first_port = 0
        self.sentinels = [Server(program, ("--sentinel",)) for _ in range(3)]

    @property
    def url(self) -> str:
        """The URL for the programs."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{NAME}"

    def start(self, *, front: Callable[[int], int] = lambda port: port) -> None:
        """Start everything and wait until the Sentinels know one another and the replica.

        Args:
            front: The port at which everybody reaches the first primary, such as a link's, given its own.
        """
        primary = Server(self._program)
        self.servers.append(primary)
        primary.start()
        self._first_port = front(primary.port)
        replica = Server(self._program, ("--replicaof", f"127.0.0.1 {self._first_port}"))
        self.servers.append(replica)
        replica.start()
        wait_until(lambda: is_in_step(primary, replica, port=self._first_port), description="the replica is in step")
        for sentinel in self.sentinels:
            sentinel.start()
            call(sentinel, "SENTINEL", "MONITOR", NAME, "127.0.0.1", self._first_port, _QUORUM)
            call(sentinel, "SENTINEL", "SET", NAME, "down-after-milliseconds", DOWN_AFTER_MS)
            call(sentinel, "SENTINEL", "SET", NAME, "failover-timeout", 3_000)
        self._wait_until_settled()

    def stop(self) -> None:
        """Stop all of it."""
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def heal(self) -> None:
        """Start or resume whatever does not run, remove every key, and wait until a failover would succeed."""
        for server in (*self.servers, *self.sentinels):
            if server.is_running:
                server.resume()
        primary = self.primary()
        for server in self.servers:
            if not server.is_running:
                server.start()
            if server is not primary:  # a Sentinel would see to it too, after 8 seconds or more
                call(server, "REPLICAOF", "127.0.0.1", primary.port)
        self._wait_until_settled()
        call(self.primary(), "FLUSHALL")
        self._wait_until_settled()

    def primary(self) -> Server:
        """Return the server that the first Sentinel holds for the primary."""
        port = int(call(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])
        return self._server_at(port)

    def replica(self) -> Server:
        """Return the other one."""
        primary = self.primary()
        return next(server for server in self.servers if server is not primary)

    def _server_at(self, port: int) -> Server:
        if port == self._first_port:
            return self.servers[0]
        return next(server for server in self.servers if server.port == port)

    def _wait_until_settled(self) -> None:
        wait_until(self._is_settled, description="the Sentinels see a primary and its replica", timeout_s=_SETTLE_S)

    def _is_settled(self) -> bool:
        with suppress(redis.ConnectionError, redis.ResponseError):
            views = [self._view(sentinel) for sentinel in self.sentinels]
            if any(view["flags"] != "master" or view["num-other-sentinels"] != "2" for view in views):
                return False
            if any(not self._sees_a_replica(sentinel) for sentinel in self.sentinels):
                return False
            seen = {self._server_at(int(view["port"])) for view in views}
            primary = self.primary()
            port = self._first_port if primary is self.servers[0] else primary.port
            return seen == {primary} and is_in_step(primary, self.replica(), port=port)
        return False

    def _sees_a_replica(self, sentinel: Server) -> bool:
        replicas = [_pairs(reply) for reply in call(sentinel, "SENTINEL", "REPLICAS", NAME)]
        return any(replica["flags"] == "slave" for replica in replicas)

    def _view(self, sentinel: Server) -> dict[str, str]:
        return _pairs(call(sentinel, "SENTINEL", "MASTER", NAME))


def _pairs(reply: list[Any]) -> dict[str, str]:
    texts = [cast("bytes", part).decode() for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))
