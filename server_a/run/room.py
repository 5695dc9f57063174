"""Whether a run fits into the memory of the servers, found out before it writes.

The figures come with the look at what a run would replace, so a run that fits costs no round trip more. Only before a
run is refused is looked more closely: a refusal must be right, while a run that turns out not to fit ends as before.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server_a.run.values import ValueSource
from server_a.run.written import bookkeeping_bytes, segment_bytes, shop_kinds
from shared.check.memory import Need, NodeMemory, ask_memory, is_short, read_memory, shortage, taken_memory
from shared.check.sizes import MAX_ELEMENT_OVERHEAD_BYTES, Sizes, numbers_bytes
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.endpoint.together import PORTION_KEYS, Together, ask_each, without_errors
from shared.errors import HandoverError
from shared.keys import Keyspace
from shared.record import SOURCE_VALUES, RunRecord
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

SHOP_LOOKS = 1_000
FREEING_S, _FREEING_PAUSE_S = 5.0, 0.05


@dataclass(frozen=True)
class Found:
    """What was seen of what a run would replace, and of the memory there is."""

    states: dict[int, SegmentState] = field(default_factory=dict)
    foreign: set[int] = field(default_factory=set)  # lists that server-a did not write, and that --overwrite replaces
    memory: dict[str, NodeMemory | None] = field(default_factory=dict)  # by server; None where it does not say


@dataclass
class Room:
    """Compares what a run needs with what there is."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    source: ValueSource
    found: Found
    shop_there: dict[str, float] = field(default_factory=dict)  # share of each kind whose keys exist already
    old_value_bytes: dict[str, int | None] = field(default_factory=dict)  # by run of lines; None where nobody knows

    @property
    def sizes(self) -> Sizes:
        """The bytes of keys at this endpoint's kind of server."""
        return Sizes(self.endpoint.kind.server)

    def needs(self, *, at_once: int = 1) -> dict[str, Need]:
        """Return what each server is to hold, with so many segments under way at once.

        What a segment replaces is freed when it is published, and only then is another one begun.
        """
        total: Counter[str] = Counter()
        grown: Counter[str] = Counter()  # beside what is used now
        peak: Counter[str] = Counter()
        under_way: deque[tuple[str, int]] = deque()  # server and bytes that are freed when a segment is published
        for node, size in self._small_bytes():
            total[node] += size
            grown[node] += size
        for number in range(1, self.record.segments + 1):
            if self._is_kept(number):
                continue
            if len(under_way) == at_once:
                published, freed = under_way.popleft()
                grown[published] -= freed
            node = self.endpoint.node_of(self.keys.segment(number))
            size = sum(segment_bytes(self.keys, self.source, self.record.range_of(number), self.sizes))
            total[node] += size
            grown[node] += size
            peak[node] = max(peak[node], grown[node])
            under_way.append((node, self._freed_bytes(number, node)))
        for node, freed in under_way:
            grown[node] -= freed
        return {node: Need(total[node], max(peak[node], grown[node])) for node in total}

    def require(self, stop: StopRequest, *, most: int) -> int:
        """Return how many segments, at most `most`, may be under way at once.

        Each look at the needs goes through all segments, two seconds for 100,000; so the number is found by halves.

        Raises NotFinishedError if a server has no room even for one after the other, or a stop was requested.
        """
        if self._short(self.needs()):
            self._look_closer(stop)
            needs = self.needs()
            for node in self._short(needs):
                raise shortage(node, needs[node.name])
        fits, tried = 1, most
        while fits < most:
            stop.check("the look for room")
            if self._short(self.needs(at_once=tried)):  # then with more under way as well
                most = tried - 1
            else:
                fits = tried
            tried = (fits + most + 1) // 2
        return fits

    def _short(self, needs: Mapping[str, Need]) -> list[NodeMemory]:
        memory = self.found.memory
        return [node for name, need in needs.items() if (node := memory.get(name)) is not None and is_short(node, need)]

    def _small_bytes(self) -> list[tuple[str, int]]:
        """Return servers with what they get of shop, record and signals."""
        keys, record, node_of = self.keys, self.record, self.endpoint.node_of
        run, signals = bookkeeping_bytes(keys, record, self.sizes)
        sizes = [(node_of(keys.run(record.run_id)), run), (node_of(keys.signals()), signals)]
        for shop in shop_kinds(keys, record):
            numbers = list(shop.numbers(SHOP_LOOKS))
            absent = shop.count * shop.record_bytes(self.sizes) * (1 - self.shop_there.get(shop.kind, 0.0))
            sizes += [(node_of(shop.key(number)), round(absent / len(numbers))) for number in numbers]
        return sizes

    def _is_kept(self, number: int) -> bool:
        """Return whether a resumed run has published this segment."""
        state = self.found.states.get(number)
        return state is not None and state.run_id == self.record.run_id and state.count > 0

    def _freed_bytes(self, number: int, node: str) -> int:
        """Return what is freed when a segment is replaced; what is not known counts as all that the server uses."""
        key, state, memory = self.keys.segment(number), self.found.states.get(number), self.found.memory.get(node)
        used = memory.used_bytes if memory is not None else 0
        if number in self.found.foreign:
            return used
        if state is None:
            return 0
        if state.run_id in self.old_value_bytes:
            each = self.old_value_bytes[state.run_id]
            if each is None:
                return used
            return min(used, self.sizes.list_bytes(key, each * state.count, count=state.count))
        first_state = self.found.states.get(1, state)
        first = (number - 1) * max(first_state.count, state.count) + 1
        return self.sizes.list_bytes(key, numbers_bytes(first, first + state.count - 1), count=state.count)

    def _look_closer(self, stop: StopRequest) -> None:
        """Look what the older runs wrote, how much of the shop is there, and at the memory once more.

        Redis: HMGET of each older run's record, EXISTS of at most 1,000 keys of each kind of the shop, INFO memory
        until what was removed is freed, for 5 seconds at most.
        """
        older = {state.run_id for state in self.found.states.values()} - {self.record.run_id}
        records = [self.keys.run(run_id) for run_id in older]
        for key, values in ask_each(
            self.endpoint, records, lambda pipeline, key: pipeline.hmget(key, RunRecord.FIELDS)
        ):
            found = zip(RunRecord.FIELDS, values, strict=True)
            self._note_older(key, {name.encode(): value for name, value in found if value is not None})
        for shop in shop_kinds(self.keys, self.record):
            names = [shop.key(number) for number in shop.numbers(SHOP_LOOKS)]
            there = [exists for _, exists in ask_each(self.endpoint, names, lambda pipeline, key: pipeline.exists(key))]
            self.shop_there[shop.kind] = sum(there) / max(1, len(there))
        give_up_at = time.monotonic() + FREEING_S
        while True:
            segments = (self.keys.segment(number) for number in range(1, PORTION_KEYS + 1))
            self.found.memory.update(read_memory(self.endpoint, segments))
            is_freeing = any(node is not None and node.is_freeing for node in self.found.memory.values())
            if not is_freeing or time.monotonic() > give_up_at or stop.wait(_FREEING_PAUSE_S):
                return

    def _note_older(self, key: str, fields: dict[bytes, bytes]) -> None:
        """Note how large the values of an older run of lines may be; those of numbers are known."""
        try:
            record = RunRecord.decode(key, fields)
        except HandoverError:  # it has expired, or is of another version
            self.old_value_bytes[key.removeprefix(self.keys.run(""))] = None
            return
        if record.source == SOURCE_VALUES:
            self.old_value_bytes[record.run_id] = record.max_value_bytes + MAX_ELEMENT_OVERHEAD_BYTES


def look_at_resumed(endpoint: Endpoint, keys: Keyspace, record: RunRecord, *, server_ms: int) -> Found:
    """Return what a resumed run finds; `server_ms` is the server's clock.

    Raises WrongKeyError if a state of its segments is not ours.

    Redis: INFO memory of each server and HMGET for each segment: one round trip for 1,000 segments.
    """
    found = Found()
    for first in range(1, record.segments + 1, PORTION_KEYS):
        numbers = range(first, min(first + PORTION_KEYS, record.segments + 1))
        asked = Together(endpoint)
        names = {number: keys.segment(number) for number in numbers}
        nodes = ask_memory(asked, names.values())
        for key in names.values():
            asked.at(keys.state(key)).hmget(keys.state(key), SegmentState.FIELDS)
        replies = asked.send(raise_on_error=False)
        found.memory.update(taken_memory(nodes, replies[: len(nodes)]))
        for number, reply in zip(numbers, without_errors(replies[len(nodes) :]), strict=True):
            state = SegmentState.decode(keys.state(names[number]), reply, server_ms=server_ms)
            if state is not None:
                found.states[number] = state
    return found


def require_room(room: Room, *, most: int, retry: Retry, stop: StopRequest, log: FilteringBoundLogger) -> int:
    """Return how many segments, at most `most`, the run may have under way at once, so that it fits.

    Raises NotFinishedError without room even for one after the other. The log says if that can't be known.
    """
    if None in room.found.memory.values():
        reason = "INFO is not allowed or does not say; with the permission +info a run that can't fit is refused"
        log.info("memory not compared", reason=reason)
    return retry.keep_trying(room.require, stop, most=most)
