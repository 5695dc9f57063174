"""A link on which one connection stands still for a moment at certain replies, while all others go on."""

from __future__ import annotations

import time
from collections import deque

from tests.stage.relay import Direction, Pair, Relay


class StallingLink(Relay):
    """Keeps back a reply with one of these texts, and all behind it on its connection, for so long; once each.

    A text may come in two pieces: its first one has gone on then. `FaultyLink.at_reply` was rejected: the whole link
    stands still there, and with it whatever else a program asks for meanwhile.

    Attributes:
        left: The texts that did not come yet, each expected after those before it.
    """

    def __init__(self, server_port: int, *texts: bytes, stall_s: float) -> None:
        """Open the link."""
        self.left = deque(texts)
        self._stall_s = stall_s
        self._replied: dict[Pair, bytes] = {}  # the last bytes that went on
        self._stalled: dict[Pair, tuple[float, bytes]] = {}  # until when, and what is kept back
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, or keep them back."""
        if direction == "to_server":
            self.forward(pair, data, direction)
        elif pair in self._stalled:
            until_s, kept = self._stalled[pair]
            self._stalled[pair] = until_s, kept + data
        else:
            self._answer(pair, data)

    def next_due_s(self) -> float | None:
        """Return when the first connection goes on."""
        due_s = [until_s for until_s, _ in self._stalled.values()]
        return max(0.0, min(due_s) - time.monotonic()) if due_s else None

    def carry_due(self) -> None:
        """Let those go on whose time has come, up to the next text."""
        for pair, (until_s, kept) in list(self._stalled.items()):
            if time.monotonic() >= until_s:
                del self._stalled[pair]
                self._answer(pair, kept)

    def close(self) -> None:
        """Close the link; AssertionError if a text never came."""
        super().close()
        assert not self.left, f"these replies never came: {list(self.left)}"

    def _answer(self, pair: Pair, data: bytes) -> None:
        before = self._replied.get(pair, b"")[-len(self.left[0]) + 1 :] if self.left else b""
        if self.left and (place := (before + data).find(self.left[0])) >= 0:
            self.left.popleft()
            place = max(0, place - len(before))
            self._stalled[pair] = time.monotonic() + self._stall_s, data[place:]
            data = data[:place]
        self._replied[pair] = (before + data)[-64:]
        self.forward(pair, data, "to_client")
