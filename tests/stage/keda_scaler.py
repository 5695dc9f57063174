"""What KEDA's scaler `redis-streams` sends, byte for byte, without KEDA.

Sources: KEDA 2.20.2, whose client is go-redis 9.19.0.
https://github.com/kedacore/keda/blob/v2.20.2/pkg/scalers/redis_streams_scaler.go (what is asked for)
https://github.com/kedacore/keda/blob/v2.20.2/pkg/scalers/redis_scaler.go (the client, and its PING)
https://github.com/redis/go-redis/blob/v9.19.0/redis.go (`initConn`: how a connection begins)
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, cast

import hiredis

from demo.servers import Server
from shared.endpoint.batch_connection import pack


class ScalerRefusedError(Exception):
    """The server refused what the scaler can't do without."""


class KedaScaler:
    """One connection of the scaler, as a user with a password.

    Attributes:
        ignored: Errors that go-redis passes over: of commands that only introduce the client.
    """

    def __init__(self, server: Server, user: str, password: str, *, database: int = 0) -> None:
        """Note where to connect, and as whom."""
        self.ignored: list[str] = []
        self._server, self._login, self._database = server, (user, password), database
        self._reader = hiredis.Reader()

    def __enter__(self) -> Self:
        """Connect, log in and ping, in the order of go-redis and KEDA.

        Raises:
            ScalerRefusedError: The login, SELECT or PING was refused.
        """
        self._socket = socket.create_connection(("127.0.0.1", self._server.port), timeout=60)
        try:
            self._needed("hello", "3", "auth", *self._login)
            if self._database:
                self._needed("select", str(self._database))
            self._optional("client", "maint_notifications", "on", "moving-endpoint-type", "none")
            self._optional("client", "setinfo", "LIB-NAME", "go-redis(,go1.26.0)")
            self._optional("client", "setinfo", "LIB-VER", "9.19.0")
            self._needed("ping")
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close the connection."""
        self._socket.close()

    def lag(self, stream: str, group: str) -> int:
        """Return what a trigger with `lagCount` is scaled by: the group's lag, or the stream's length without a group.

        Raises:
            ScalerRefusedError: INFO or XLEN was refused. A refused XINFO counts as a stream without groups, as there.
        """
        info = cast("bytes", self._needed("info"))
        if b"redis_version:" not in info:
            raise ScalerRefusedError("could not find Redis version number")
        groups = self._call("xinfo", "groups", stream)
        if isinstance(groups, hiredis.ReplyError):
            if str(groups) == "ERR no such key":
                return 0
            groups = []
        for found in cast("list[Mapping[bytes, Any]]", groups):
            if found[b"name"] == group.encode():
                return -1 if found[b"lag"] is None else int(found[b"lag"])
        return int(self._needed("xlen", stream))

    def pending(self, stream: str, group: str) -> int:
        """Return what a trigger with `pendingEntriesCount` is scaled by.

        Raises:
            ScalerRefusedError: XPENDING was refused, also with NOGROUP.
        """
        return int(self._needed("xpending", stream, group)[0])

    def _needed(self, *command: str) -> Any:
        reply = self._call(*command)
        if isinstance(reply, hiredis.ReplyError):
            raise ScalerRefusedError(str(reply))
        return reply

    def _optional(self, *command: str) -> None:
        reply = self._call(*command)
        if isinstance(reply, hiredis.ReplyError):
            self.ignored.append(str(reply))

    def _call(self, *command: str) -> Any:
        self._socket.sendall(pack(*command))
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65536)
            if not received:
                raise ScalerRefusedError("the server closed the connection")
            self._reader.feed(received)
        return reply
