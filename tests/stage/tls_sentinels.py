"""A Sentinel group whose servers and Sentinels speak TLS alone, and whose servers want a password."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import redis

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.raw import call, is_in_step
from tests.stage.waiting import wait_until

NAME = "shop"
_QUORUM = 2
_SETTLE_S = 60.0


class TlsSentinelGroup:
    """A primary, its replica, and three Sentinels, which ask for no login themselves.

    Attributes:
        servers: The two that hold data; their password is set last, and `call` reaches them no more.
        sentinels: The three that watch.
    """

    def __init__(
        self, program: Path, authority: Authority, *, user: str, password: str, data_host: str = "127.0.0.1"
    ) -> None:
        """Describe it; the block starts it.

        Args:
            program: A server built with TLS.
            authority: Issues the certificates, of which one is the servers' and one the Sentinels'.
            user: Whom the servers let do everything.
            password: What they ask this user and one another for.
            data_host: What the servers' certificate names; they and the Sentinels do not look at names.
        """
        self._user, self._password = user, password
        common = ("--tls-replication", "yes")
        data = (*authority.directives(authority.issue("data", data_host)), *common)
        watching = (*authority.directives(authority.issue("sentinel", "127.0.0.1", "localhost")), *common)
        self.servers = [Server(program, data, tls=True) for _ in range(2)]
        self.sentinels = [Server(program, ("--sentinel", *watching), tls=True) for _ in range(3)]

    @property
    def hosts(self) -> str:
        """The Sentinels, as they stand in a URL."""
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self) -> str:
        """The URL for the programs, user and password in it."""
        return f"rediss+sentinel://{quote(self._user)}:{quote(self._password)}@{self.hosts}/{NAME}"

    def primary_port(self) -> int:
        """Return the port of the server that the first Sentinel holds for the primary."""
        return int(call(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def logins(self) -> int:
        """Return how often anybody has tried to log in at a Sentinel."""
        return sum(_calls(call(sentinel, "INFO", "commandstats"), b"auth") for sentinel in self.sentinels)

    def __enter__(self) -> Self:
        """Start everything and wait until the Sentinels know one another and the replica."""
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop all of it."""
        for server in (*self.sentinels, *self.servers):
            server.stop()

    def _start(self) -> None:
        primary, replica = self.servers
        for server in self.servers:
            server.start()
        call(replica, "REPLICAOF", "127.0.0.1", primary.port)
        wait_until(lambda: is_in_step(primary, replica), description="the replica is in step")
        for server in self.servers:  # a replica that asks with a password where none is wanted is refused
            call(server, "ACL", "SETUSER", self._user, "on", f">{self._password}", "~*", "&*", "+@all")
            call(server, "CONFIG", "SET", "masterauth", self._password, "requirepass", self._password)
        for sentinel in self.sentinels:
            sentinel.start()
            call(sentinel, "SENTINEL", "MONITOR", NAME, "127.0.0.1", primary.port, _QUORUM)
            call(sentinel, "SENTINEL", "SET", NAME, "auth-pass", self._password)
            call(sentinel, "SENTINEL", "SET", NAME, "down-after-milliseconds", 1_000)
            call(sentinel, "SENTINEL", "SET", NAME, "failover-timeout", 3_000)
        wait_until(self._is_settled, description="the Sentinels see a primary and its replica", timeout_s=_SETTLE_S)

    def _is_settled(self) -> bool:
        with suppress(redis.ConnectionError, redis.ResponseError):
            for sentinel in self.sentinels:
                view = _pairs(call(sentinel, "SENTINEL", "MASTER", NAME))
                if (view["flags"], view["num-other-sentinels"]) != ("master", "2"):
                    return False
                if [_pairs(reply)["flags"] for reply in call(sentinel, "SENTINEL", "REPLICAS", NAME)] != ["slave"]:
                    return False
            return True
        return False


def _pairs(reply: list[Any]) -> dict[str, str]:
    texts = [cast("bytes", part).decode() for part in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def _calls(statistics: bytes, command: bytes) -> int:
    """Return the calls of a command, refused ones too, of INFO's `cmdstat_auth:calls=1,...,failed_calls=0`."""
    for line in statistics.splitlines():
        if line.startswith(b"cmdstat_" + command + b":"):
            numbers = dict(part.split(b"=") for part in line.partition(b":")[2].split(b","))
            return int(numbers[b"calls"]) + int(numbers[b"rejected_calls"])
    return 0
