"""The questions before a verdict, asked while the end of its segment is still under way: that saves a round trip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.endpoint.node_client import NodePipeline
from shared.errors import HandoverError
from shared.signal import Signal

KEPT_S = 1.0  # a connection that is silent for longer may be cut
LATE_PAUSE_S = 30.0  # where segments take so long, each that is asked about ahead would cost a connection


@dataclass
class AskedAhead:
    """Holds the questions about one segment at most.

    Attributes:
        send: Sends the questions about a signal's segment, and returns the pipeline on which they were sent.
        is_worth_it: Whether the answers will probably still be true when the verdict is there.
    """

    send: Callable[[Signal], NodePipeline]
    is_worth_it: bool = field(init=False, default=True)
    _asked: NodePipeline | None = field(init=False, default=None)
    _asked_s: float = field(init=False, default=0.0)
    _again_at_s: float = field(init=False, default=0.0)

    def ask(self, signal: Signal) -> bool:
        """Ask about a signal's segment, if that is worth it.

        Returns False if the server was lost: who records meets that again, and nothing more should be begun before.
        """
        self.close()
        if self.is_worth_it and time.monotonic() >= self._again_at_s:
            try:
                self._asked, self._asked_s = self.send(signal), time.monotonic()
            except HandoverError:
                return False
        return True

    def take(self) -> NodePipeline | None:
        """Return where it was asked, once; None where it was not, or too long ago, which is tried again only later."""
        now_s = time.monotonic()
        if self._asked is not None and now_s - self._asked_s >= KEPT_S:
            self._again_at_s = now_s + LATE_PAUSE_S
            self.close()
        asked, self._asked = self._asked, None
        return asked

    def close(self) -> None:
        """Let go of what was asked and not taken."""
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.close()
