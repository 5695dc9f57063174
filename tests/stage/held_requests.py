"""A link on which whoever sends a certain request stands still, until a test has done what it wanted meanwhile."""

from __future__ import annotations

from tests.stage.relay import Direction, Pair, Relay


class HeldRequests(Relay):
    """Holds back each request with a text, and all that comes behind it on its connection, until `release`.

    Unlike what `FaultyLink.at` does, no other connection stands still, and the request need never come.
    """

    def __init__(self, server_port: int, text: bytes) -> None:
        """Open the link."""
        self._text = text
        self._held: dict[Pair, bytes] = {}
        self._is_released = False
        super().__init__(server_port)

    def take(self, pair: Pair, data: bytes, direction: Direction) -> None:
        """Forward bytes, or hold them back."""
        if direction == "to_server" and not self._is_released:
            is_held = pair in self._held or self._text in pair.recent + data
            pair.recent = (pair.recent + data)[-len(self._text) + 1 :]
            if is_held:
                self._held[pair] = self._held.get(pair, b"") + data
                return
        self.forward(pair, data, direction)

    def release(self) -> None:
        """Let all of it go on."""
        self.order(self._let_go)

    def _let_go(self) -> None:
        self._is_released = True
        held, self._held = self._held, {}
        for pair, data in held.items():
            self.forward(pair, data, "to_server")
