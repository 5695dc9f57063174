"""Four hosts on one switch: A, B, a primary and its replica, each with an address of its own."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

from demo.processes import Program
from demo.servers import Server
from shared.keys import Keyspace
from shared.signal import CONSUMER_GROUP
from tests.stage.hand_over_in_process import list_keys, numbers, stored_values
from tests.stage.network import Host, Network
from tests.stage.programs import Name, StartProgram
from tests.stage.servers import Kind, binary, connect
from tests.stage.waiting import wait_until

PORT = 6379
_END_S = 60.0
_MOVING_ADDRESS = 100
_A_BYTES_PER_S = 1_000_000  # a run of a million values takes twelve seconds, longer than this process may stand still
_KEYS = Keyspace("")


class RedisHost:
    """A host with a Redis server on it, which we also reach past the network, through its unix socket.

    Attributes:
        host: Where it is.
        server: The process.
    """

    def __init__(self, host: Host, kind: Kind, *arguments: str) -> None:
        """Start the server."""
        self.host = host
        listening = ("--bind", "0.0.0.0", "--port", str(PORT), "--protected-mode", "no")  # noqa: S104 - in a namespace
        self.server = Server(binary(kind), (*listening, *arguments))
        try:
            with host.inside():
                self.server.start()
        except BaseException:
            self.server.stop()
            raise
        self.client = connect(self.server)

    @property
    def url(self) -> str:
        """The URL for programs on other hosts."""
        return f"redis://{self.host.address}:{PORT}/0"

    def signals(self) -> int:
        """Return how many segments were signalled."""
        return int(self.client.xlen(_KEYS.signals()))

    def published(self) -> int:
        """Return how many segments stand under their names, signalled or not yet."""
        return sum(":staging:" not in key for key in list_keys(self.client, _KEYS))

    def verdicts(self) -> int:
        """Return how many verdicts B recorded, over all runs."""
        return sum(int(self.client.hlen(key)) for key in self.client.scan_iter(match=_KEYS.result("*"), count=1000))

    def pending(self) -> int:
        """Return how many entries are delivered and not acknowledged."""
        return int(self.client.xpending(_KEYS.signals(), CONSUMER_GROUP)["pending"])

    def newest_run_id(self) -> str:
        """Return the run that was signalled last."""
        entries: Any = self.client.xrevrange(_KEYS.signals(), count=1)
        return str(entries[0][1][b"run_id"].decode())

    def staged(self) -> int:
        """Return how many values are written but not published."""
        return sum(int(self.client.llen(key)) for key in self.client.scan_iter(match="*:staging:*", count=1000))

    def values(self, segments: int) -> list[bytes]:
        """Return all values of the list, in the order of their insertion."""
        return stored_values(self.client, _KEYS, segments)

    def stop(self) -> None:
        """End the server."""
        self.client.close()
        self.server.stop()


class Stage:
    """The hosts, their servers, and the two programs on them.

    Attributes:
        a: Server-a's host, which sends so slowly that there is time to disturb a run in its midst; a test speeds it up
            once that was noticed.
        b: Server-b's host.
        primary: The server A writes to.
        replica: Its replica, after `add_replica`.
        moving_url: Leads to the primary, and after `promote_replica` to what was the replica: an address that moves.
    """

    replica: RedisHost

    def __init__(self, kind: Kind, start_program: StartProgram) -> None:
        """Build it all but the replica, which takes a second.

        Raises:
            OSError: Namespaces can't be made here.
        """
        self._kind: Kind = kind
        self._start_program = start_program
        with ExitStack() as stack:
            self._network = Network()
            stack.callback(self._network.close)
            self.a, self.b = self._network.add_host(1), self._network.add_host(2)
            self.a.slow_down(_A_BYTES_PER_S)
            self.primary = RedisHost(self._network.add_host(11), kind)
            stack.callback(self.primary.stop)
            self._moving_address = self._network.address(_MOVING_ADDRESS)
            self.moving_url = f"redis://{self._moving_address}:{PORT}/0"
            self.primary.host.add_address(self._moving_address)
            self._closing = stack.pop_all()

    def add_replica(self) -> RedisHost:
        """Start the replica on its host, and return it once it is connected."""
        primary = f"{self.primary.host.address} {PORT}"
        self.replica = RedisHost(self._network.add_host(12), self._kind, "--replicaof", primary)
        self._closing.callback(self.replica.stop)
        wait_until(self._is_replicating, description="the replica has a link to the primary")
        return self.replica

    def start_a(self, url: str, *options: str) -> Program:
        """Start `server-a run` on its host."""
        return self.start(self.a, "server-a", url, "run", "--json", *options)

    def start_b(self, url: str, *options: str) -> Program:
        """Start `server-b run --once` on its host, and wait until it has connected: a first try has no patience."""
        b = self.start(self.b, "server-b", url, "run", "--once", "--json", "--wait-s", "60", *options)
        wait_until(lambda: _is_connected(b), description="server-b has connected")
        return b

    def start(self, host: Host, name: Name, url: str, *arguments: str) -> Program:
        """Start a program on a host."""
        with host.inside():
            return self._start_program(name, *arguments, server=url, env={"XDG_STATE_HOME": self._state_directory})

    def promote_replica(self) -> None:
        """Make the replica a primary and have the moving address lead to it; the old primary is cut off."""
        self.primary.host.pull_cable()
        self.replica.client.replicaof("NO", "ONE")
        self.replica.host.add_address(self._moving_address)
        self.replica.host.announce(self._moving_address)

    def close(self) -> None:
        """Remove it all."""
        self._closing.close()

    @property
    def _state_directory(self) -> str:
        return str(self.primary.server.directory)

    def _is_replicating(self) -> bool:
        return bool(self.replica.client.info("replication")["master_link_status"] == "up")


def _is_connected(b: Program) -> bool:
    return any(event in b.errors() for event in ("waiting for signals", "following a replica")) or not b.is_running


def require_exact(a: Program, b: Program, at: RedisHost, *, count: int) -> tuple[Any, Any]:
    """Require that A finished, B verified what A wrote, and the server has exactly that; return both summaries."""
    assert a.wait(_END_S) == 0, a.errors()
    assert b.wait(_END_S) == 0, b.errors()
    written, read = json.loads(a.output()), json.loads(b.output())
    assert read["verdict"] == "verified"
    assert (read["run_id"], read["count"], read["digest"]) == (written["run_id"], written["count"], written["digest"])
    assert written["count"] == count
    assert at.values(written["segments"]) == numbers(count)
    return written, read


def require_missed(program: Program) -> None:
    """Require that a program notices that its server is gone; sockets wait for 5 seconds."""
    wait_until(lambda: "endpoint lost" in program.errors(), description="it misses its server")
