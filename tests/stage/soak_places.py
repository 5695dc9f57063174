"""Where a soak run's hand-overs take place: one server behind a link, a Sentinel group, a cluster."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from demo.servers import Server
from tests.stage.clusters import Cluster
from tests.stage.migration import migration_of
from tests.stage.raw import call, is_primary
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.servers import connect
from tests.stage.soak_faults import Fault, Place
from tests.stage.waiting import wait_until

if TYPE_CHECKING:
    import redis

_MORE = 5
_MORE_S = 1.0


class Servers(Protocol):
    """The servers of one place."""

    def start(self) -> None:
        """Start them."""

    def stop(self) -> None:
        """Stop them."""

    def prepare(self) -> None:
        """Make them whole and empty for the next hand-over."""

    def url_for(self, fault: Fault) -> str:
        """Return a URL that leads to the servers before the fault and after it."""

    def holder_of(self, key: str) -> Server:
        """Return the primary that holds a key now."""


class Alone:
    """One server; the faults are those of the link to it."""

    def __init__(self, program: Path) -> None:
        """Describe it."""
        self.server = Server(program)
        self.start, self.stop = self.server.start, self.server.stop

    def prepare(self) -> None:
        """Remove every key; the server is our own."""
        call(self.server, "FLUSHALL")

    def url_for(self, fault: Fault) -> str:
        """Return its URL."""
        del fault
        return self.server.url

    def holder_of(self, key: str) -> Server:
        """Return it."""
        del key
        return self.server


class Group(SentinelGroup):
    """A Sentinel group, of which one server is left after a fault."""

    def prepare(self) -> None:
        """Start again what was killed, and remove every key."""
        self.heal()

    def url_for(self, fault: Fault) -> str:
        """Return the Sentinels' URL."""
        del fault
        return self.url

    def holder_of(self, key: str) -> Server:
        """Return the primary, once there is one again."""
        del key
        wait_until(lambda: is_primary(self.primary()), description="there is a primary")
        return self.primary()

    def replica_of(self, primary: Server) -> Server:
        """Return the other server."""
        return next(server for server in self.servers if server is not primary)


class Ring(Cluster):
    """A cluster of six."""

    def prepare(self) -> None:
        """Start again what was killed, and remove every key."""
        self.heal()

    def url_for(self, fault: Fault) -> str:
        """Return the URL of a node that outlives the fault."""
        return self.url_without(self.primary_of(fault.holder))

    def holder_of(self, key: str) -> Server:
        """Return the primary of a key's slot."""
        return self.primary_of(key)


PLACES: dict[Place, type[Alone | Group | Ring]] = {"near": Alone, "far": Alone, "sentinel": Group, "cluster": Ring}


def progress(server: Server, fault: Fault) -> int:
    """Return how many segments are signalled, for a fault of A's, or have their verdict; of who holds the stream."""
    if fault.program == "server-a":
        return int(call(server, "XLEN", "signals"))
    with suppress(StopIteration):
        result = next(key for key in call(server, "KEYS", "{signals}:result:*"))
        return int(call(server, "HLEN", result))
    return 0


def fail(servers: Servers, fault: Fault) -> None:
    """Let a primary die, or slots move."""
    if fault.kind == "moved":
        assert isinstance(servers, Ring)
        for key in dict.fromkeys(("signals", fault.holder, "biglist:3")):
            migration_of(servers, key).carry_out(servers.primaries())
        return
    servers = cast("Group | Ring", servers)
    primary = servers.holder_of(fault.holder)
    replica, stream = servers.replica_of(primary), servers.holder_of("signals")
    if fault.kind == "behind":
        replica.pause()
        call(primary, "CLIENT", "KILL", "TYPE", "replica")
        goal = progress(stream, fault) + _MORE
        with suppress(AssertionError):  # a run that is near its end, or whose stream is elsewhere
            wait_until(lambda: progress(stream, fault) >= goal, description="more is done", timeout_s=_MORE_S)
    primary.end(signal.SIGKILL)
    replica.resume()


def client_of(servers: Servers, key: str) -> redis.Redis:
    """Return a client of the primary that holds a key now."""
    return connect(servers.holder_of(key))
