"""Which segments are published, and which of two runs in one namespace stands: the newer one.

`biglist` is segment 1 of every run and is published before any other, so its state names the newest run that has
published. A key of its own for the newest run was rejected: WATCH can't include a key in another slot.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from shared.endpoint.endpoint import Endpoint, ServerClock
from shared.endpoint.node_client import NodePipeline
from shared.endpoint.optimistic import optimistic
from shared.endpoint.published import read_state, read_states
from shared.endpoint.retry import Retry
from shared.errors import HandoverError, SupersededError, TransientError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.segments import MAX_SEGMENTS
from shared.state import SegmentState
from shared.tokens import is_too_late, require_not_too_late

PROBE_ABSENT = 100
LOOK_EVERY_S = 1.0


@dataclass
class PublishedSegment:
    """What a run knows of a segment it has published."""

    state: SegmentState
    signal_id: str = ""  # stream ID of its signal; empty until it is sent
    longest: int = 0  # bytes of its longest value; 0 for a segment that was kept


def require_not_newer(where: str, found: SegmentState | None, *, run_id: str, attempt: str = "") -> None:
    """Raise SupersededError if what is published is newer than a run, or than one attempt of it."""
    newest = (run_id, attempt or (found.attempt if found is not None else ""))
    if found is not None and (found.run_id, found.attempt) > newest:
        expected, by = f"nothing newer than run {run_id}", found.run_id
        raise SupersededError(where=where, expected=expected, got=f"run {by}", by=by)


def states_upward(endpoint: Endpoint, keys: Keyspace, *, after: int) -> Iterator[tuple[int, SegmentState]]:
    """Yield segments that have a state, from number `after + 1` upward until 100 in a row have none.

    Redis: HMGET of 100 states a round trip.
    """
    absent, first = 0, after + 1
    while absent < PROBE_ABSENT and first <= MAX_SEGMENTS + PROBE_ABSENT:  # no run of ours has more
        numbers = {keys.state(keys.segment(number)): number for number in range(first, first + PROBE_ABSENT)}
        for key, state in read_states(endpoint, numbers):
            absent = absent + 1 if state is None else 0
            if state is not None:
                yield numbers[key], state
        first += PROBE_ABSENT


def retire(endpoint: Endpoint, keys: Keyspace, segment_key: str, *, by: SegmentState, retain_ms: int) -> bool:
    """Remove a segment that an older run left; return False if a newer run has published there, or it is not ours.

    What is no list at the list's name was put there by somebody else, and stays; the state is ours nevertheless.
    Its state becomes that of `by`, a state of the newer run, with count 0, so that old signals are superseded at once;
    it expires after `retain_ms`.

    Redis: WATCH, HMGET, TYPE, then MULTI UNLINK UNLINK HSET PEXPIRE EXEC; O(1).
    """
    state_key = keys.state(segment_key)
    fields: dict[Any, Any] = {**SegmentState(by.run_id, by.attempt, 0, "").encode()}

    def attempt(pipeline: NodePipeline) -> bool:
        now = SegmentState.decode(state_key, pipeline.hmget(state_key, SegmentState.FIELDS))
        if now is None or now.count == 0 or now.run_id >= by.run_id:
            return False
        is_list = cast("bytes", pipeline.type(segment_key)) == b"list"
        pipeline.multi()
        if is_list:
            pipeline.unlink(segment_key)
        pipeline.unlink(state_key)  # removes the blocks too
        pipeline.hset(state_key, mapping=fields)
        pipeline.pexpire(state_key, retain_ms)
        pipeline.execute()
        return True

    return optimistic(endpoint.at(state_key), [state_key, segment_key], attempt)


@dataclass
class Supersession:
    """Finds out whether a newer run has published, and then removes the segments of this one."""

    endpoint: Endpoint
    keys: Keyspace
    record: RunRecord
    retry: Retry
    clock: ServerClock

    _look_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._look_at_s = time.monotonic() + LOOK_EVERY_S

    def look(self) -> None:
        """Raise SupersededError if a newer run has published; asks once a second at most, and once only.

        A lost connection is passed over: the writers meet it too, and what they tell is more than that. A slot that
        moved they need not meet; where it is now is asked here, so that the next look finds it.
        """
        if time.monotonic() < self._look_at_s:
            return
        first, run_id = self.keys.segment(1), self.record.run_id
        try:
            require_not_newer(f"run {run_id}", read_state(self.endpoint, self.keys, first), run_id=run_id)
        except TransientError:
            with suppress(HandoverError):  # the next look meets the same fault
                self.endpoint.refresh()
        self._look_at_s = time.monotonic() + LOOK_EVERY_S

    def require_newest(self) -> None:
        """Raise SupersededError if a newer run has published; one HMGET."""
        run_id = self.record.run_id
        require_not_newer(f"run {run_id}", self._first_state(), run_id=run_id)

    def require_ours(self, error: SupersededError) -> None:
        """Raise WrongKeyError if the newer run that was met is far ahead of the server's clock: it is none of ours.

        Asked where the error arrives, not where it arises: only the actors above know the clock without asking for it.
        """
        if error.by:
            require_not_too_late(f"{error.where} run {error.by}", error.by, self.clock.now_ms())

    def withdraw(self) -> None:
        """Remove every segment of a superseded run, which the newer run would have done if it had found them."""
        first = self._first_state()
        if first is None or first.run_id <= self.record.run_id or is_too_late(first.run_id, self.clock.now_ms()):
            return
        states = self.retry.keep_trying(lambda: list(states_upward(self.endpoint, self.keys, after=1)))
        for number, state in reversed(states):
            if state.run_id == self.record.run_id and state.count:
                self.retire(number, by=first)

    def retire(self, number: int, *, by: SegmentState) -> bool:
        """Remove a segment of an older run, and return whether it was removed; see the function `retire`."""
        key, retain_ms = self.keys.segment(number), self.record.retain_ms
        return self.retry.keep_trying(retire, self.endpoint, self.keys, key, by=by, retain_ms=retain_ms)

    def _first_state(self) -> SegmentState | None:
        return self.retry.keep_trying(read_state, self.endpoint, self.keys, self.keys.segment(1))
