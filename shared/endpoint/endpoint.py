"""One door to Redis, whatever kind of server is behind it.

`endpoint.at(key)` is redis-py's client for the server that holds a key, so that the programs use redis-py's own
commands and know nothing of clusters and Sentinels. Nobody keeps that client beyond one call or transaction: the next
one may have to go to another server.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import defaultdict

from shared.endpoint.batch_connection import BatchConnection
from shared.endpoint.node_client import NodeClient
from shared.endpoint.server_kind import ServerKind
from shared.endpoint.window import Window


class Endpoint(ABC):
    """One reachable endpoint."""

    name: str  # its URL without user and password
    kind: ServerKind  # what the server says it is

    def __init__(self) -> None:
        self._windows: defaultdict[str, Window] = defaultdict(Window)

    @abstractmethod
    def at(self, key: str) -> NodeClient:
        """Return the client for the server that holds a key."""

    @abstractmethod
    def node_of(self, key: str) -> str:
        """Return a name for the server that holds a key; equal names are one server."""

    @abstractmethod
    def primaries(self) -> list[NodeClient]:
        """Return the clients of all servers that together hold every key."""

    @abstractmethod
    def refresh(self) -> None:
        """Close idle connections and look again which server holds what: called after a fault, and before an audit.

        A demoted primary keeps answering on connections that are already open.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    def batch(self, key: str) -> BatchConnection:
        """Return a connection of its own to the server that holds a key; all to one server have one window, in turn."""
        return BatchConnection(self.at(key), self._windows[self.node_of(key)])

    def most_ahead(self, key: str) -> int:
        """Return how many bytes are sent, or asked for, ahead at most at the server that holds a key."""
        return self._windows[self.node_of(key)].most

    def server_us(self, key: str) -> int:
        """Return the TIME of the server that holds a key, in microseconds since 1970."""
        return microseconds(self.at(key).time())


class ServerClock:
    """A server's TIME, read once and carried on by our clock; read again after an outage, maybe of another server.

    Both programs write down the server's time, so that two hosts with wrong clocks still agree.
    """

    _offset_us = 0

    def set(self, server_us: int) -> None:
        """Take what TIME has just said, in microseconds since 1970."""
        self._offset_us = server_us - time.monotonic_ns() // 1_000

    def now_ms(self) -> int:
        """Return what TIME would say now, in milliseconds since 1970."""
        return self.ms_at(time.monotonic())

    def ms_at(self, monotonic_s: float) -> int:
        """Return what TIME said at a moment of this host's monotonic clock, in milliseconds since 1970."""
        return (int(monotonic_s * 1_000_000) + self._offset_us) // 1_000


def milliseconds(reply: tuple[int, int] | list[object]) -> int:
    """Return the milliseconds since 1970 that a reply to TIME says; 0 where there is none, as of a server that lies."""
    return microseconds(reply) // 1_000 if isinstance(reply, tuple) else 0


def microseconds(reply: tuple[int, int]) -> int:
    """Return the microseconds since 1970 that a reply to TIME says."""
    seconds, rest = reply
    return seconds * 1_000_000 + rest
