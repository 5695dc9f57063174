"""Memory: how much each server has, and whether what is to be written fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from shared.check.findings import MemoryFindings, Problem
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.together import Together
from shared.errors import HandoverError, NotAllowedError, NotFinishedError, WrongEndpointError


@dataclass(frozen=True)
class NodeMemory:
    """One server's memory."""

    name: str
    used_bytes: int
    max_bytes: int  # its limit; 0 for none
    host_bytes: int  # what its host has; 0 when it doesn't say
    policy: str  # for eviction
    uncounted_bytes: int = 0  # of those used: buffers for replicas and the append-only file don't count
    is_freeing: bool = False  # whether keys that were removed are still being freed

    @property
    def free_bytes(self) -> int | None:
        """Bytes left below the limit; None without a limit."""
        return max(0, self.max_bytes - self.used_bytes) if self.max_bytes else None

    @property
    def room_bytes(self) -> int | None:
        """Bytes that may be written at most; None when the server does not say.

        Below a limit with eviction that is all of it, since other keys make room; without a limit, what the host has
        beside what the server uses.
        """
        if self.max_bytes and self.policy.startswith(("allkeys-", "volatile-")):
            return self.max_bytes
        if self.max_bytes or self.host_bytes:
            return max(0, (self.max_bytes or self.host_bytes) - self.used_bytes + self.uncounted_bytes)
        return None


@dataclass(frozen=True)
class Need:
    """What one server is to hold of what is to be written."""

    total_bytes: int = 0
    peak_bytes: int = 0  # most that is used beside what is used now: what is replaced is freed only afterwards


def ask_memory(asked: Together, keys: Iterable[str]) -> list[str]:
    """Ask each server that holds one of these keys for its memory, and return their names in the order asked.

    Redis: INFO memory for each server; O(1).
    """
    first: dict[str, str] = {}
    for key in keys:
        first.setdefault(asked.endpoint.node_of(key), key)
    for key in first.values():
        asked.at(key).info("memory")
    return list(first)


def taken_memory(nodes: Iterable[str], replies: Iterable[Any]) -> dict[str, NodeMemory | None]:
    """Return what servers replied to `ask_memory`; None where one may not be asked or does not say."""
    found: dict[str, NodeMemory | None] = {}
    for node, reply in zip(nodes, replies, strict=True):
        if isinstance(reply, HandoverError) and not isinstance(reply, (NotAllowedError, WrongEndpointError)):
            raise reply
        found[node] = decode_memory(node, reply) if isinstance(reply, Mapping) else None
    return found


def read_memory(endpoint: Endpoint, keys: Iterable[str]) -> dict[str, NodeMemory | None]:
    """Return the memory of each server that holds one of the keys; see `ask_memory`."""
    asked = Together(endpoint)
    nodes = ask_memory(asked, keys)
    return taken_memory(nodes, asked.send(raise_on_error=False))


def decode_memory(name: str, info: Mapping[str, object]) -> NodeMemory | None:
    """Return what redis-py's form of INFO memory says, or None when it lacks what we need."""
    names = ("used_memory", "maxmemory", "total_system_memory", "mem_not_counted_for_evict", "lazyfree_pending_objects")
    used, *others = (info.get(field) for field in names)
    if not _is_size(used):
        return None
    max_bytes, host_bytes, uncounted, freeing = (other if _is_size(other) else 0 for other in others)
    policy = str(info.get("maxmemory_policy", "unknown"))
    return NodeMemory(name, used, max_bytes, host_bytes, policy, uncounted, is_freeing=freeing > 0)


def _is_size(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and 0 <= value < 2**63


def memory_findings(nodes: list[NodeMemory], count: int | None, needs: Mapping[str, Need]) -> MemoryFindings:
    """Return the memory of all nodes, and what they need, added up."""
    free = [node.free_bytes for node in nodes if node.free_bytes is not None]
    is_limited = len(free) == len(nodes)
    return MemoryFindings(
        used_bytes=sum(node.used_bytes for node in nodes),
        max_bytes=sum(node.max_bytes for node in nodes) if is_limited else 0,
        policy=",".join(sorted({node.policy for node in nodes})),
        count=count,
        needed_bytes=None if count is None else sum(need.total_bytes for need in needs.values()),
        peak_bytes=None if count is None else sum(need.peak_bytes for need in needs.values()),
        free_bytes=sum(free) if is_limited else None,
    )


def memory_problems(node: NodeMemory, need: Need) -> list[Problem]:
    """Return what is wrong with a node's memory for what it is to hold.

    Without a limit no eviction policy ever acts. Under a limit `allkeys-*` may evict a published list, so it is a
    problem; `volatile-*` can't, since published lists have no time to live, so it is only noted.
    """
    if node.max_bytes and node.policy.startswith("allkeys-"):
        text = f"{node.name} evicts any key when it is full ({node.policy}): values may vanish; set maxmemory-policy "
        return [Problem(f"{text}noeviction, or use a server that is no cache", WrongEndpointError.exit_code)]
    if not is_short(node, need):
        return []
    error = shortage(node, need)
    return [Problem(f"no room: {error}", error.exit_code)]


def is_short(node: NodeMemory, need: Need) -> bool:
    """Return whether a server has no room for what it is to hold; False when it does not say."""
    room = node.room_bytes
    return room is not None and need.peak_bytes > room


def shortage(node: NodeMemory, need: Need) -> NotFinishedError:
    """Return the error for a server that has no room."""
    whose = "below its maxmemory" if node.max_bytes else "on its host"
    cure = "raise maxmemory, free memory, or write fewer values" if node.max_bytes else "write fewer values"
    expected = f"about {shown_bytes(need.peak_bytes)} of memory {whose} for the run"
    return NotFinishedError(where=node.name, expected=expected, got=shown_bytes(node.room_bytes or 0), advice=cure)


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
