"""Lists that were signalled and have not come yet: when to look again, and the look at all of them together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.endpoint.endpoint import Endpoint
from shared.endpoint.retry import growing_pauses
from shared.endpoint.together import Together
from shared.errors import HandoverError, LongReplyError, WrongKeyError
from shared.keys import Keyspace
from shared.signal import Signal
from shared.state import SegmentState

FIRST_POLL_S = 0.005
LONGEST_POLL_S = 0.25
_POLL_S_EACH = 0.001  # added for each list, so that a thousand of them don't keep the server busy


@dataclass
class Arrivals:
    """Looks for lists after growing pauses."""

    endpoint: Endpoint
    keys: Keyspace
    _look_at: float = field(init=False, default=0.0)
    _pauses: Iterator[float] = field(init=False)

    def begin(self) -> None:
        """Look again soon: another list is missing."""
        self._pauses = growing_pauses(FIRST_POLL_S, LONGEST_POLL_S)
        self._look_at = time.monotonic() + next(self._pauses)

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return time.monotonic() >= self._look_at

    def due_ms(self) -> int:
        """Return in how many milliseconds it is time to look, at least one."""
        return max(1, int((self._look_at - time.monotonic()) * 1_000))

    def look(self, signals: Sequence[Signal]) -> list[bool]:
        """Return for each signal whether there is something to decide: its list, a later one, or a key not ours.

        A state that is longer than any of ours can't be told from the others: then each is to be looked at alone.

        Redis: HMGET of each state, in one round trip.
        """
        self._look_at = time.monotonic() + next(self._pauses) + _POLL_S_EACH * len(signals)
        asked = Together(self.endpoint)
        state_keys = [self.keys.state(self.keys.segment(signal.segment)) for signal in signals]
        for key in state_keys:
            asked.at(key).hmget(key, SegmentState.FIELDS)
        try:
            replies = asked.send(raise_on_error=False)
        except LongReplyError:
            return [True] * len(signals)
        for reply in replies:
            if isinstance(reply, HandoverError) and not isinstance(reply, WrongKeyError):
                raise reply
        return [_has_come(*each) for each in zip(signals, state_keys, replies, strict=True)]


def _has_come(signal: Signal, state_key: str, reply: Sequence[object] | WrongKeyError) -> bool:
    if isinstance(reply, WrongKeyError):
        return True
    try:
        state = SegmentState.decode(state_key, reply)
    except WrongKeyError:  # a hash that is no state of ours
        return True
    return state is not None and (state.run_id, state.attempt) >= (signal.run_id, signal.attempt)
