"""Memory: how much there is, and whether a run fits.

A run may need room for all its values beside what is used now, because the previous run's lists stay until the new ones
are published.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from shared.check.findings import MemoryFindings, Problem
from shared.endpoint.endpoint import Endpoint
from shared.errors import NotAllowedError, NotFinishedError, WrongEndpointError

VALUE_BYTES = 6  # measured: 100,000,000 numbers took 598 MB on Redis 7.0 and Valkey 9.1
LARGE_VALUE_BYTES = 11
MARGIN = 1.25
_LARGE_FROM = 2**31


@dataclass(frozen=True)
class NodeMemory:
    """One server's memory."""

    name: str
    used_bytes: int
    max_bytes: int  # its limit; 0 for none
    host_bytes: int  # what its host has; 0 when it doesn't say
    policy: str  # for eviction
    needed_bytes: int  # about what the values for this server take

    @property
    def free_bytes(self) -> int | None:
        """Bytes left below the limit; None without a limit."""
        return max(0, self.max_bytes - self.used_bytes) if self.max_bytes else None


def needed_bytes(values: int, *, largest: int) -> int:
    """Return about how many bytes a list of so many numbers takes, plus a quarter as a margin."""
    return math.ceil(values * (LARGE_VALUE_BYTES if largest >= _LARGE_FROM else VALUE_BYTES) * MARGIN)


def read_memory(endpoint: Endpoint, values_of: Mapping[str, int], *, largest: int) -> list[NodeMemory]:
    """Return the memory of each server that will hold one of the lists; empty when a server does not tell.

    `values_of` says how many values will be written to each key, `largest` is the largest of them.

    Redis: INFO memory for each server; O(1).
    """
    values: dict[str, dict[str, int]] = defaultdict(dict)
    for key, count in values_of.items():
        values[endpoint.node_of(key)][key] = count
    found = []
    for node, count_of in values.items():
        try:
            info = endpoint.at(next(iter(count_of))).info("memory")
        except (NotAllowedError, WrongEndpointError):
            return []
        memory = decode_memory(node, info, needed_bytes(sum(count_of.values()), largest=largest))
        if memory is None:
            return []
        found.append(memory)
    return found


def decode_memory(name: str, info: Mapping[str, object], needed: int) -> NodeMemory | None:
    """Return what redis-py's form of INFO memory says, or None when it lacks what we need."""
    used, *limits = (info.get(field) for field in ("used_memory", "maxmemory", "total_system_memory"))
    if not isinstance(used, int):
        return None
    max_bytes, host_bytes = (limit if isinstance(limit, int) else 0 for limit in limits)
    return NodeMemory(name, used, max_bytes, host_bytes, str(info.get("maxmemory_policy", "unknown")), needed)


def memory_findings(nodes: list[NodeMemory], count: int | None) -> MemoryFindings:
    """Return the memory of all nodes added up."""
    free = [node.free_bytes for node in nodes if node.free_bytes is not None]
    is_limited = len(free) == len(nodes)
    return MemoryFindings(
        used_bytes=sum(node.used_bytes for node in nodes),
        max_bytes=sum(node.max_bytes for node in nodes) if is_limited else 0,
        policy=",".join(sorted({node.policy for node in nodes})),
        count=count,
        needed_bytes=None if count is None else sum(node.needed_bytes for node in nodes),
        free_bytes=sum(free) if is_limited else None,
    )


def memory_problems(node: NodeMemory) -> list[Problem]:
    """Return what is wrong with a node's memory for the values that it is to hold.

    Without a limit no eviction policy ever acts. Under a limit `allkeys-*` may evict a published list, so it is a
    problem; `volatile-*` can't, since published lists have no time to live, so it is only noted.
    """
    if node.max_bytes and node.policy.startswith("allkeys-"):
        text = f"{node.name} evicts any key when it is full ({node.policy}): values may vanish; set maxmemory-policy "
        return [Problem(f"{text}noeviction, or use a server that is no cache", WrongEndpointError.exit_code)]
    if not (node.max_bytes or node.host_bytes):
        return []
    room = (node.max_bytes or node.host_bytes) - node.used_bytes
    if node.needed_bytes <= max(0, room):
        return []
    whose = "below its maxmemory" if node.max_bytes else "on its host"
    cure = "raise maxmemory, free memory, or write fewer values" if node.max_bytes else "write fewer values"
    text = f"no room at {node.name}: the values need about {shown_bytes(node.needed_bytes)}, "
    return [Problem(f"{text}{shown_bytes(max(0, room))} are free {whose}; {cure}", NotFinishedError.exit_code)]


def memory_notes(node: NodeMemory) -> list[str]:
    """Return what is worth knowing about a node's memory."""
    if not (node.max_bytes and node.policy.startswith("volatile-")):
        return []
    text = f"{node.name} evicts keys with a time to live when it is full ({node.policy}): never a published list, but "
    return [f"{text}one being written, which begins anew, and the records of runs; noeviction refuses writes instead"]


def shown_bytes(number: int) -> str:
    """Return a number of bytes as people read it, such as `1.0 KiB`."""
    if number < 1024:
        return f"{number:,} bytes"
    exponent = min(3, (number.bit_length() - 1) // 10)
    return f"{number / 1024**exponent:,.1f} {('KiB', 'MiB', 'GiB')[exponent - 1]}"
