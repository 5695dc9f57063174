"""A relay that counts rounds: the round trips that come one after the other, over all connections of a program.

Over a far link they decide the time, where turns of several connections that pass beside each other cost one.
"""

from __future__ import annotations

import time

from tests.stage.relay import Direction, Pair
from tests.stage.turns import TurnCounter


class RoundCounter(TurnCounter):
    """Hands out all replies together, when no connection has carried anything for a moment.

    Attributes:
        rounds: How often replies were handed out.
    """

    def __init__(self, server_port: int, *, quiet_s: float) -> None:
        """Open the relay; all must be quiet for `quiet_s` before anybody gets a reply."""
        self.rounds = 0
        self._heard_s = 0.0
        super().__init__(server_port, quiet_s=quiet_s)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Count and forward bytes that came, replies when it is time for them."""
        self._heard_s = time.monotonic()
        super().take(pair, data, direction)

    def next_due_s(self) -> float | None:
        """Return when the next replies are due."""
        return max(0.0, self._left_s()) if self._holding() else None

    def carry_due(self) -> None:
        """Hand out the replies of all connections."""
        if (holding := self._holding()) and self._left_s() <= 0:
            self.rounds += 1
            for conversation in holding:
                self._hand_out(conversation)

    def _left_s(self) -> float:
        return self._heard_s + self._quiet_s - time.monotonic()
