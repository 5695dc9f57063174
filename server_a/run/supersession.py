"""Which of two runs in one namespace stands: the newer one.

`biglist` is segment 1 of every run and is published before any other, so its state names the newest run that has
published. A key that names the newest run was rejected: it would have to be watched from another slot.
"""

from __future__ import annotations

from server_a.run.publish import retire
from server_a.run.states import read_state, states_upward
from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import Retry
from shared.errors import SupersededError
from shared.keys import Keyspace
from shared.record import RunRecord
from shared.state import SegmentState


class Supersession:
    """Finds out whether a newer run has published, and removes what this one had."""

    def __init__(self, endpoint: Endpoint, keys: Keyspace, record: RunRecord, *, retry: Retry) -> None:
        """Look for runs newer than one."""
        self._endpoint = endpoint
        self._keys = keys
        self._record = record
        self._retry = retry

    def require_newest(self) -> None:
        """Check that no newer run has published.

        Raises:
            SupersededError: One has.

        Redis:
            HMGET; O(1).
        """
        newer = self._newer_state()
        if newer is not None:
            where = f"run {self._record.run_id}"
            raise SupersededError(where=where, expected="no newer run in this namespace", got=f"run {newer.run_id}")

    def withdraw(self) -> None:
        """Remove every segment of a superseded run, as the newer one would have, had it been there by then.

        Redis:
            HMGET of the states; what `retire` costs for each segment.
        """
        newer = self._newer_state()
        if newer is None:
            return
        states = self._retry.keep_trying(self._states_behind_the_first)
        for number, state in reversed(states):
            if state.run_id == self._record.run_id and state.count:
                key, retain_ms = self._keys.segment(number), self._record.retain_ms
                self._retry.keep_trying(retire, self._endpoint, self._keys, key, by=newer, retain_ms=retain_ms)

    def _states_behind_the_first(self) -> list[tuple[int, SegmentState]]:
        return list(states_upward(self._endpoint, self._keys, after=1))

    def _newer_state(self) -> SegmentState | None:
        """Return the state of `biglist` if it is a newer run's."""
        state = self._retry.keep_trying(read_state, self._endpoint, self._keys, self._keys.segment(1))
        return state if state is not None and state.run_id > self._record.run_id else None
