"""A cluster of our own: three primaries with a replica each, formed with raw commands, so that no redis-cli is needed.

It outlives failovers and migrations: `heal` starts what was killed and waits until every primary has its replica again.
That takes a second or two where forming anew takes longer.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import redis
from redis.crc import key_slot

from demo.servers import Server
from tests.stage.raw import call, is_in_step, is_primary
from tests.stage.waiting import wait_until

SLOTS = 16_384
PRIMARIES = 3
_FORM_S = 60.0
_HEAL_S = 30.0
_FAILOVER_S = 30.0  # servers give one up after five seconds; a replica asks for votes again after twelve
_MOST_FAILOVERS = 4
# Longer than a busy machine lets a server stand still: what is held for dead has its replica promoted, unasked.
_NODE_TIMEOUT_MS = 3_000
_DIRECTIVES = (
    *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
    *("--cluster-node-timeout", str(_NODE_TIMEOUT_MS)),
)


class Cluster:
    """Six nodes; which of them are primaries changes with each failover.

    Attributes:
        nodes: All of them, whatever they are now.
    """

    def __init__(self, program: Path, arguments: Sequence[str] = ()) -> None:
        """Describe a cluster of servers of one kind; `start` makes it."""
        self.nodes = [Server(program, (*_DIRECTIVES, *arguments)) for _ in range(2 * PRIMARIES)]

    @property
    def url(self) -> str:
        """The URL of one of the nodes, a replica's at that as long as nothing has failed over."""
        return self.nodes[-1].url

    def url_without(self, node: Server) -> str:
        """Return the URL of another node, for whoever is to outlive this one."""
        return next(other.url for other in reversed(self.nodes) if other is not node and other.is_running)

    def start(self) -> None:
        """Start the nodes and make them one cluster: a third of the slots for each of the first three."""
        for node in self.nodes:
            node.start()
        primaries, replicas = self.nodes[:PRIMARIES], self.nodes[PRIMARIES:]
        borders = [SLOTS * number // PRIMARIES for number in range(PRIMARIES + 1)]
        for number, (primary, (first, after)) in enumerate(zip(primaries, itertools.pairwise(borders), strict=True)):
            call(primary, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            call(primary, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one, other in itertools.combinations(self.nodes, 2):
            call(one, "CLUSTER", "MEET", "127.0.0.1", other.port)
        for primary, replica in zip(primaries, replicas, strict=True):
            wait_until(
                lambda replica=replica: len(self._known_by(replica)) == len(self.nodes),  # type: ignore[misc]
                description="every node knows every other",
                timeout_s=_FORM_S,
            )
            call(replica, "CLUSTER", "REPLICATE", node_id(primary))
        self._wait_until_whole(_FORM_S)

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stop()

    def heal(self) -> None:
        """Start or resume every node, settle every slot, remove every key, and wait until nothing is amiss."""
        for node in self.nodes:
            if node.is_running:
                node.resume()
            else:
                node.start()
        self._spread_replicas()
        self._wait_until_whole()
        for primary in self.primaries():
            for slot in _slots_in_migration(self._own_line(primary)):
                call(primary, "CLUSTER", "SETSLOT", slot, "STABLE")
            call(primary, "FLUSHALL")
        self._wait_until_whole()

    def primaries(self) -> list[Server]:
        """Return the nodes that are primaries now."""
        return [node for node in self.nodes if node.is_running and call(node, "ROLE")[0] == b"master"]

    def replica_of(self, primary: Server) -> Server:
        """Return the replica of a primary."""
        return next(
            node
            for node in self.nodes
            if node.is_running and (role := call(node, "ROLE"))[0] == b"slave" and role[2] == primary.port
        )

    def primary_of(self, key: str) -> Server:
        """Return the primary that holds a key's slot, as one of the nodes that run says."""
        return self._primary_of(key, next(node for node in self.nodes if node.is_running))

    def holders_of(self, keys: Iterable[str]) -> list[tuple[str, Server]]:
        """Return keys with the primaries that hold their slots, once all nodes that run say the same of each.

        Which primary has just taken a slot over, or got it, a node may learn later than whoever reads the key there.
        """
        names, found = list(keys), dict[str, Server]()

        def are_agreed() -> bool:
            views = [{key: self._primary_of(key, node) for key in names} for node in self.nodes if node.is_running]
            found.update(views[0])
            return all(view == views[0] for view in views)

        wait_until(are_agreed, description="all nodes say the same of who holds which slot")
        return list(found.items())

    def _primary_of(self, key: str, asked: Server) -> Server:
        slot = key_slot(key.encode())
        for first, last, holder, *_ in call(asked, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == holder[1])
        raise AssertionError(f"slot {slot} is nobody's")

    def kill(self, node: Server) -> None:
        """Kill a node, as a host that dies would."""
        node.end(signal.SIGKILL)

    def fail_over(self, primary: Server) -> None:
        """Let the replica of a primary take over, as an administrator does; again where the servers gave that up."""
        replica = self.replica_of(primary)
        for _ in range(_MOST_FAILOVERS):
            if not is_primary(replica):
                call(replica, "CLUSTER", "FAILOVER")
            with suppress(AssertionError):
                wait_until(lambda: is_primary(replica), description="the replica has taken over", timeout_s=_FAILOVER_S)
                return
        raise AssertionError(f"the replica has not taken over in {_MOST_FAILOVERS} times")

    def has_taken_over(self, killed: Server, key: str) -> bool:
        """Return whether a key's slot, which a killed primary held, has another holder that serves it."""
        holder = self.primary_of(key)
        return holder is not killed and b"cluster_state:ok" in call(holder, "CLUSTER", "INFO")

    def empty_primary(self) -> Server:
        """Make a replica a primary without slots, as a node that has just been added to the cluster is; return it."""
        added = self.replica_of(self.primaries()[0])
        call(added, "CLUSTER", "RESET", "SOFT")
        call(added, "CLUSTER", "MEET", "127.0.0.1", next(node for node in self.nodes if node is not added).port)
        wait_until(
            lambda: all(len(self._known_by(node)) == len(self.nodes) for node in self.nodes),
            description="every node knows the one that was added",
        )
        wait_until(lambda: b"cluster_state:ok" in call(added, "CLUSTER", "INFO"), description="the added node serves")
        return added

    def _known_by(self, node: Server) -> list[list[str]]:
        """Return the lines of CLUSTER NODES whose node has completed its handshake and is well."""
        lines = [line.split() for line in cast("bytes", call(node, "CLUSTER", "NODES")).decode().splitlines()]
        return [line for line in lines if not {"handshake", "fail", "fail?", "noaddr"} & set(line[2].split(","))]

    def _spread_replicas(self) -> None:
        """Put nodes without slots, and second replicas, behind the primaries that have none."""
        holders = [node for node in self.primaries() if len(self._own_line(node)) > 8]
        spare = [node for node in self.nodes if node not in holders]
        alone = []
        for holder in holders:
            behind = [node for node in spare if call(node, "ROLE")[2:3] == [holder.port]]
            if behind:
                spare.remove(behind[0])
            else:
                alone.append(holder)
        for holder, replica in zip(alone, spare, strict=False):
            call(replica, "CLUSTER", "REPLICATE", node_id(holder))

    def _own_line(self, node: Server) -> list[str]:
        return next(line for line in self._known_by(node) if "myself" in line[2])

    def _wait_until_whole(self, timeout_s: float = _HEAL_S) -> None:
        wait_until(self._is_whole, description="each primary of the cluster has its replica", timeout_s=timeout_s)

    def _is_whole(self) -> bool:
        """Return whether all agree that all are well, three hold slots, and each of these has a replica in step."""
        with suppress(redis.ConnectionError, StopIteration):  # StopIteration: a primary without a replica
            for node in self.nodes:
                known = self._known_by(node)
                holders = [line for line in known if "master" in line[2] and len(line) > 8]
                if len(known) != len(self.nodes) or len(holders) != PRIMARIES:
                    return False
                if b"cluster_state:ok" not in call(node, "CLUSTER", "INFO"):
                    return False
            return all(is_in_step(primary, self.replica_of(primary)) for primary in self.primaries())
        return False


def _slots_in_migration(line: list[str]) -> list[str]:
    """Return the slots of which a node's own line says `[7-<-id]` or `[7->-id]`."""
    return [part[1:].split("-", 1)[0] for part in line[8:] if part.startswith("[")]


def node_id(node: Server) -> str:
    """Return a node's name for itself."""
    return cast("bytes", call(node, "CLUSTER", "MYID")).decode()
