"""Lists whose state is gone, as a server that evicts keys may leave them: recognised by their content.

A list without a state may be anybody's. It is ours if the newest signal of its segment is in the stream, it has as many
values as that says, and they give that digest. Then its state is written again, from the signal, so that whoever comes
next finds the list as it was. Taking such a list for ours by its name was rejected: it may be somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from server_a.run.damaged_states import remove_damaged_states
from server_a.run.list_digest import digest_list, read_value_bytes
from server_a.run.publish import Publication, publish
from shared.endpoint.batch_connection import BatchConnection, pack
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.node_client import Command, NodePipeline
from shared.endpoint.published import signal_pages
from shared.endpoint.together import Together, portions
from shared.errors import NotFinishedError, TransientError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState
from shared.stopping import StopRequest

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

MAX_CHANGES = 5
CAUSE = "likely evicted by a full server (see maxmemory-policy); noeviction keeps it"


@dataclass(frozen=True)
class LostState:
    """A list of ours without its state; `blocks` are the concatenated raw digests of its blocks."""

    number: int
    state: SegmentState
    blocks: bytes


Ending = Callable[[LostState], Sequence[Command]]
"""Returns what becomes of a recognised list, in one transaction; nothing when it was only to be recognised."""


@dataclass
class LostStates:
    """Recognises such lists among those of the numbers given."""

    endpoint: Endpoint
    keys: Keyspace
    stop: StopRequest | None = None  # ends the reading

    def recognise(self, numbers: Sequence[int], end: Ending) -> Iterator[LostState]:
        """Yield the lists that are recognised, each after its transaction.

        Raises NotFinishedError if a list is being changed, or if a stop was requested.

        Redis: EXISTS and TYPE of each segment, 1,000 a round trip; TIME; XREVRANGE of the stream until each of them has
        a signal; for each list then WATCH, LLEN, LRANGE of all of it, 1,000 values a time, and what `end` says.
        """
        signals = self._newest_signals(self.without_state(numbers))
        for number, signal in sorted(signals.items()):
            state = SegmentState(signal.run_id, signal.attempt, signal.count, signal.digest)
            found = self._recognise_one(number, state, end)
            if found is not None:
                yield found

    def restore(self, numbers: Sequence[int], log: FilteringBoundLogger) -> bool:
        """Write the states of the lists that are recognised again, damaged ones too; return whether there were any.

        Redis: HSET, and what `remove_damaged_states` sends.
        """
        removed, restored = remove_damaged_states(self.endpoint, self.keys, log), 0
        for found in self.recognise(sorted({*numbers, *removed}), self._restoring):
            restored += 1
            log.warning("state lost, list recognised", key=self.keys.segment(found.number), cause=CAUSE)
        return bool(removed) or restored > 0

    def restoring(self, numbers: Iterable[int], log: FilteringBoundLogger, work: Callable[[], T]) -> T:
        """Return what `work` does; where it meets a key that is not ours, once more if states were restored."""
        try:
            return work()
        except WrongKeyError:
            if not self.restore(list(numbers), log):
                raise
            return work()

    def restore_as(self, number: int, state: SegmentState, log: FilteringBoundLogger) -> bool:
        """Write this state beside a list without one that has just its values; return whether there was such a list.

        For a segment that the run's record says was signalled, though its signal is gone, too. Redis: as `recognise`.
        """
        found = self._recognise_one(number, state, self._restoring) if self.without_state([number]) else None
        if found is not None:
            log.warning("state lost, list recognised", key=self.keys.segment(number), cause=CAUSE)
        return found is not None

    def _restoring(self, found: LostState) -> Sequence[Command]:
        fields: dict[str, str | bytes] = {**found.state.encode(), "blocks": found.blocks}
        state_key = self.keys.state(self.keys.segment(found.number))
        return [("HSET", state_key, *chain.from_iterable(fields.items()))]

    def without_state(self, numbers: Sequence[int]) -> set[int]:
        """Return which of these segments have a list and no state. Redis: EXISTS and TYPE, 1,000 a round trip."""
        names = {self.keys.segment(number): number for number in numbers}
        found: set[int] = set()
        for portion in portions(names):
            asked = Together(self.endpoint)
            for key in portion:
                asked.at(key).exists(self.keys.state(key))
                asked.at(key).type(key)
            replies = asked.send()
            kinds = zip(portion, replies[::2], replies[1::2], strict=True)
            found |= {names[key] for key, has_state, kind in kinds if not has_state and kind == b"list"}
        return found

    def _newest_signals(self, numbers: set[int]) -> dict[int, Signal]:
        """Return the newest signal of each of these segments, as far as the stream has one."""
        found: dict[int, Signal] = {}
        if not numbers:
            return found
        server_ms = self.endpoint.server_us(self.keys.signals()) // 1_000
        for page in signal_pages(self.endpoint, self.keys, server_ms=server_ms):
            for signal in page:
                if signal.segment in numbers:
                    found.setdefault(signal.segment, signal)
            if len(found) == len(numbers):
                break
        return found

    def _recognise_one(self, number: int, state: SegmentState, end: Ending) -> LostState | None:
        key = self.keys.segment(number)
        state_key = self.keys.state(key)
        value_bytes = read_value_bytes(self.endpoint, self.keys, state.run_id)
        changes = 0
        while changes < MAX_CHANGES:
            with closing(self.endpoint.batch(key)) as connection:
                window = connection.flights.window
                most = window.most
                length, has_state = _watched(connection, key, state_key)
                if has_state or length != state.count:
                    return None
                try:
                    digest = digest_list(connection, key, state.count, value_bytes=value_bytes, stop=self.stop)
                except TransientError:
                    if window.most < most:  # the server may cut who asks for that much; less is asked for now
                        continue
                    raise
                if digest is None or digest.hexdigest() != state.digest:
                    return None
                found = LostState(number, state, bytes(digest.blocks))
                commands = end(found)
                if not commands or connection.transaction(*commands) is not None:
                    return found
                changes += 1
        raise NotFinishedError(where=key, expected="a list at rest", got=f"one that changed {MAX_CHANGES} times")


def _watched(connection: BatchConnection, key: str, state_key: str) -> tuple[int, int]:
    """Watch a list and its state; return its length and whether there is a state. Redis: one round trip."""
    connection.send_watch(key, state_key)
    connection.send(pack("LLEN", key) + pack("EXISTS", state_key), replies=2)
    _, length, has_state = (connection.read(key=name) for name in (key, key, state_key))
    return length, has_state


def publish_or_restore(
    lost: LostStates,
    publication: Publication,
    *,
    overwrite: bool,
    log: FilteringBoundLogger,
    asked: NodePipeline | None = None,
    was_signalled: bool = False,
) -> None:
    """Publish a segment, also over a list of ours whose state was lost meanwhile; see `publish`.

    Where the run's record says that it `was_signalled` before, its own values are proof enough.
    """

    def tell_conflict() -> None:
        log.info("publication repeated, its keys had changed", segment=publication.number)

    endpoint, keys = lost.endpoint, lost.keys
    try:
        publish(endpoint, keys, publication, overwrite=overwrite, asked=asked, on_conflict=tell_conflict)
    except WrongKeyError:
        number, state = publication.number, publication.state
        if not (lost.restore([number], log) or (was_signalled and lost.restore_as(number, state, log))):
            raise
        publish(endpoint, keys, publication, overwrite=overwrite, on_conflict=tell_conflict)
