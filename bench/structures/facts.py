"""What a server makes of each structure, apart from speed: order, values that come twice, batches sent twice, clusters.

Nothing here is taken from documentation: a few values are written by the same commands as a million, and what comes
back is told. The cluster is one node that holds all slots; it refuses what no cluster would do.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import hiredis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from bench.raw import RawSocket
from bench.structures.shapes import KEY, STRUCTURES, Command, Structure
from demo.servers import Server

_PUBLISHED_KEY = "{biglist}:published"
_UNSORTED = (b"3", b"1", b"2")
_DOUBLED = (b"3", b"1", b"2", b"1")
_CLUSTER_START_S = 10.0


@dataclass(frozen=True)
class Facts:
    """What was seen of one structure on one server.

    Attributes:
        order: `by …`, what keeps the order of insertion; `lost`.
        duplicates: Whether a value that was written twice, at two places, comes back twice: `kept`, `lost`.
        resent: What a batch that reaches the server twice leaves: `doubled`, `as once`, `refused`.
        slots: Hash slots that the keys of all values lie in.
        publication: `RENAME` where a cluster publishes all values by it; else the error that came instead.
    """

    order: str
    duplicates: str
    resent: str
    slots: int
    publication: str


def facts_of(binary: Path, raw: RawSocket, *, count: int) -> dict[str, Facts]:
    """Return the facts of all structures by name.

    Args:
        binary: The server to start a cluster of one node with.
        raw: A connection to a running server of the same kind, ours alone.
        count: Values whose slots are counted.

    Raises:
        ServerStartError: The cluster did not come up.
    """
    with Server(binary, ("--cluster-enabled", "yes")) as server, closing(RawSocket(server.port)) as node:
        _serve_all_slots(node)
        return {
            structure.name: Facts(
                order=_order(raw, structure),
                duplicates="kept" if _left(raw, structure, _DOUBLED) == list(_DOUBLED[::-1]) else "lost",
                resent=_resent(raw, structure),
                slots=len({key_slot(key.encode()) for key in structure.keys(KEY, count)}),
                publication=_publication(node, structure),
            )
            for structure in STRUCTURES
        }


def _serve_all_slots(node: RawSocket) -> None:
    """Make a cluster of one node and wait until it takes writes, which is two seconds."""
    node.ask(("CLUSTER", "ADDSLOTSRANGE", 0, REDIS_CLUSTER_HASH_SLOTS - 1))
    give_up_at = time.monotonic() + _CLUSTER_START_S
    while b"cluster_state:ok" not in node.ask(("CLUSTER", "INFO"))[0]:
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"cluster of one node: expected cluster_state:ok within {_CLUSTER_START_S:.0f} s")
        time.sleep(0.02)


def _order(raw: RawSocket, structure: Structure) -> str:
    return f"by {structure.order_by}" if _left(raw, structure, _UNSORTED) == list(_UNSORTED[::-1]) else "lost"


def _left(raw: RawSocket, structure: Structure, values: tuple[bytes, ...], *, times: int = 1) -> list[bytes]:
    """Write a batch to an empty server, so many times, and return all that is then read in reverse."""
    raw.empty_server()
    for _ in range(times):
        raw.ask(*structure.write(KEY, 1, values))
    return _all_values(raw, structure, KEY, len(values) * times)


def _all_values(raw: RawSocket, structure: Structure, key: str, at_most: int) -> list[bytes]:
    (reply,) = raw.ask(structure.read(key, at_most, 0, at_most))
    return [value for value in structure.values(reply) if value is not None]


def _resent(raw: RawSocket, structure: Structure) -> str:
    """Return what a server does with a batch that comes twice, as after a reply that was lost."""
    left = len(_left(raw, structure, _UNSORTED, times=2))
    if left != len(_UNSORTED):
        return "doubled"
    again: list[Command] = structure.write(KEY, 1, _UNSORTED)
    return "refused" if any(isinstance(reply, hiredis.ReplyError) for reply in raw.ask(*again)) else "as once"


def _publication(node: RawSocket, structure: Structure) -> str:
    """Return how all values of a structure become visible at once on a cluster, or why they don't."""
    replies = node.ask(*structure.write(KEY, 1, _UNSORTED), ("RENAME", KEY, _PUBLISHED_KEY))
    errors = [str(reply) for reply in replies if isinstance(reply, hiredis.ReplyError)]
    if errors:
        return errors[0].split()[0]
    found = _all_values(node, structure, _PUBLISHED_KEY, len(_UNSORTED))
    return "RENAME" if found == list(_UNSORTED[::-1]) else "incomplete"
