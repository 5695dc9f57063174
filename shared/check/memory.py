"""Memory: how much there is, and whether a run fits.

While a segment is written its list of the last run is still there, so what counts is room for all new values beside
what is used now: the most a run can take, which it takes when there was no list before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from shared.check.findings import MemoryFindings, Trouble
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotAllowedError, NotFinishedError, WrongEndpointError

VALUE_BYTES = 6
LARGE_VALUE_BYTES = 11
MARGIN = 1.25
_LARGE_FROM = 2**31


@dataclass(frozen=True)
class NodeMemory:
    """One server's memory.

    Attributes:
        max_bytes: Its limit, 0 for none.
        host_bytes: What its host has, 0 when it doesn't say.
        policy: Its eviction policy.
        needed_bytes: About what the values take that will lie here.
    """

    name: str
    used_bytes: int
    max_bytes: int
    host_bytes: int
    policy: str
    needed_bytes: int

    @property
    def free_bytes(self) -> int | None:
        """Bytes left below the limit; None without a limit."""
        return max(0, self.max_bytes - self.used_bytes) if self.max_bytes else None


def needed_bytes(values: int, *, largest: int) -> int:
    """Return about how many bytes a list of so many numbers takes, with a quarter more as a margin.

    Args:
        values: How many.
        largest: The largest of them; above 2,147,483,647 a list stores each in 11 bytes instead of 6.

    Source:
        100,000,000 numbers took 598 MB on Redis 7.0 and Valkey 9.1.
    """
    return math.ceil(values * (LARGE_VALUE_BYTES if largest >= _LARGE_FROM else VALUE_BYTES) * MARGIN)


def read_memory(endpoint: Endpoint, values_of: Mapping[str, int], *, largest: int) -> list[NodeMemory] | None:
    """Return the memory of each server that will hold one of the lists; None when we may not ask, or it doesn't say.

    Args:
        endpoint: Where.
        values_of: How many values will be written to each key.
        largest: The largest value.

    Redis:
        INFO memory for each server; O(1).
    """
    keys: dict[str, str] = {}
    values: dict[str, int] = defaultdict(int)
    for key, count in values_of.items():
        node = endpoint.node_of(key)
        keys.setdefault(node, key)
        values[node] += count
    found = []
    for node, key in keys.items():
        try:
            info = endpoint.at(key).info("memory")
        except (NotAllowedError, WrongEndpointError):
            return None
        memory = decode_memory(node, info, needed_bytes(values[node], largest=largest))
        if memory is None:
            return None
        found.append(memory)
    return found


def decode_memory(name: str, info: Mapping[str, object], needed: int) -> NodeMemory | None:
    """Return what redis-py's form of INFO memory says, or None when it lacks what we need."""
    used = info.get("used_memory")
    if not isinstance(used, int):
        return None
    max_bytes, host_bytes = (_number(info.get(field)) for field in ("maxmemory", "total_system_memory"))
    return NodeMemory(name, used, max_bytes, host_bytes, str(info.get("maxmemory_policy", "unknown")), needed)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def memory_findings(nodes: list[NodeMemory], count: int | None) -> MemoryFindings:
    """Return the memory of all nodes together."""
    free = [node.free_bytes for node in nodes]
    limited = [bytes_ for bytes_ in free if bytes_ is not None]
    is_limited = len(limited) == len(nodes)
    return MemoryFindings(
        used_bytes=sum(node.used_bytes for node in nodes),
        max_bytes=sum(node.max_bytes for node in nodes) if is_limited else 0,
        policy=",".join(sorted({node.policy for node in nodes})),
        count=count,
        needed_bytes=None if count is None else sum(node.needed_bytes for node in nodes),
        free_bytes=sum(limited) if is_limited else None,
    )


def memory_troubles(node: NodeMemory) -> list[Trouble]:
    """Return what is wrong with a node's memory for the values that will lie there.

    `allkeys-*` under a limit is always wrong: published lists have no time to live, and nothing else says that a value
    is still wanted. `volatile-*` is not: it takes what has one, which is what is being written and the records of runs,
    and only when memory is full; `memory_notes` says so. Without a limit no policy ever acts.
    """
    if node.max_bytes and node.policy.startswith("allkeys-"):
        text = f"{node.name} evicts any key when it is full ({node.policy}): values may vanish; set maxmemory-policy "
        return [Trouble(f"{text}noeviction, or use a server that is no cache", WrongEndpointError.exit_code)]
    room = node.free_bytes if node.max_bytes else node.host_bytes - node.used_bytes
    if not (node.max_bytes or node.host_bytes) or room is None or node.needed_bytes <= room:
        return []
    whose = "below its maxmemory" if node.max_bytes else "on its host"
    cure = "raise maxmemory, free memory, or write fewer values" if node.max_bytes else "write fewer values"
    text = (
        f"no room at {node.name}: the values need about {shown_bytes(node.needed_bytes)}, {shown_bytes(max(0, room))}"
    )
    return [Trouble(f"{text} are free {whose}; {cure}", NotFinishedError.exit_code)]


def memory_notes(node: NodeMemory) -> list[str]:
    """Return what is worth knowing of a node's memory."""
    if node.max_bytes and node.policy.startswith("volatile-"):
        text = (
            f"{node.name} evicts keys with a time to live when it is full ({node.policy}): never a published list, but "
        )
        return [
            f"{text}one being written, which begins anew, and the records of runs; noeviction refuses writes instead"
        ]
    return []


def shown_bytes(number: int) -> str:
    """Return a number of bytes as people read it."""
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"
